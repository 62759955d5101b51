"""Whether more quick workers admit and deliver more: 1, 2 and 4 of them on one database.

Where it stops being linear the report says how busy the machine was: on two cores, one worker, the
database and the endpoint are enough to fill them.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from benchmarks.bench import Bench
from benchmarks.figures import Ratio, Report
from benchmarks.receiving import receiver
from benchmarks.sending import admit_all, prepare, prepare_known, send_beside, tell

WORKERS = (1, 2, 4)
REQUESTS = 6_000
EVENTS = 2_400
WEBHOOKS = 30
THREADS = 128
# For all of them to start; a process takes a second or so, four on two cores twice that.
START_SECONDS = 2.5


def run(bench: Bench, report: Report) -> None:
    """Measure both with each number of workers, in turn."""
    with receiver() as url:
        for _ in range(bench.rounds):
            for workers in WORKERS:
                _admit(bench, report, workers)
                _deliver(bench, report, workers, url)
    for what in ("admitted", "delivered"):
        one = report.figure(f"{what}, 1 quick worker", "/s")
        report.ratios += [
            Ratio(
                f"{what}: {workers} workers / 1",
                report.figure(f"{what}, {workers} quick workers", "/s"),
                one,
            )
            for workers in WORKERS[1:]
        ]


def _admit(bench: Bench, report: Report, workers: int) -> None:
    with bench.database() as database, bench.stack(database) as stack:
        # With a webhook: what is admitted and known gets its event and its delivery, too.
        stack.create_client("1234", "http://127.0.0.1:9/")
        tell(stack.environ, prepare_known.__name__, count=REQUESTS)
        _note(
            report,
            "admitted",
            workers,
            lambda at: tell(stack.environ, admit_all.__name__, at=at),
        )


def _deliver(bench: Bench, report: Report, workers: int, url: str) -> None:
    with bench.database() as database, bench.stack(database) as stack:
        tell(
            stack.environ,
            prepare.__name__,
            urls=[f"{url}/{number}" for number in range(WEBHOOKS)],
            events=EVENTS // WEBHOOKS,
            max_in_flight=64,
        )
        # Trusted already: what is measured is not how trust is won.
        database.rows('UPDATE webhooks_webhook SET "window" = 64, steady = true')
        _note(
            report,
            "delivered",
            workers,
            lambda at: tell(stack.environ, send_beside.__name__, threads=THREADS, at=at),
        )


def _note(report: Report, what: str, workers: int, work: Callable[[float], Any]) -> None:
    at = time.time() + START_SECONDS
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(work, at) for _ in range(workers)]
        time.sleep(max(0.0, at - time.time()))
        psutil.cpu_percent()
        time.sleep(1)
        busy = psutil.cpu_percent()
        done = [one.result() for one in running]
    name = f"{workers} quick worker{'s' if workers > 1 else ''}"
    took = max(one["seconds"] for one in done)
    report.figure(f"{what}, {name}", "/s").values.append(sum(one["count"] for one in done) / took)
    report.figure(f"machine busy, {what}, {name}", "%").values.append(busy)
