"""Whether endpoints that hang hold up those that do not.

200 webhooks, half of them hanging until the time-out, and 2,000 events due at one moment; beside it
the same with the hanging ones left out. What counts is the time from the event to the end of the
attempt that delivered it.
"""

import time
from pathlib import Path
from statistics import quantiles

import psutil

from benchmarks.bench import Bench
from benchmarks.figures import Ratio, Report
from benchmarks.receiving import receiver
from benchmarks.sending import prepare, send_on, start, tell
from tests.system.databases import Database

HEALTHY = 100
HANGING = 100
EVENTS_EACH = 10
MAX_IN_FLIGHT = 4
WAIT_SECONDS = 120.0

_DONE = """
SELECT extract(epoch FROM
    attempt.started_at + attempt.duration_ms * interval '1 millisecond' - event.created_at)
FROM webhooks_delivery delivery
JOIN webhooks_event event ON event.id = delivery.event_id
JOIN webhooks_deliveryattempt attempt ON attempt.delivery_id = delivery.id
WHERE delivery.status = 'succeeded' AND attempt.error = ''
"""
# Events are written some time before the sender is there: what is measured begins with it.
_BEGIN = """
WITH event AS (UPDATE webhooks_event SET created_at = clock_timestamp() RETURNING id)
UPDATE webhooks_delivery SET status = 'pending', next_attempt_at = clock_timestamp()
WHERE status = 'held'
"""
_HOLD = "UPDATE webhooks_delivery SET status = 'held'"


def run(bench: Bench, report: Report, *, healthy: int = HEALTHY, hanging: int = HANGING) -> None:
    """Measure with and without the hanging ones, in turn."""
    with receiver() as url:
        for number in range(bench.rounds):
            variants = [("no hanging ones", 0), (f"{hanging} hanging", hanging)]
            # Which one comes first changes, so that a machine that warms up favours neither.
            for name, count in variants if number % 2 == 0 else variants[::-1]:
                urls = [f"{url}/hang/{one}" for one in range(count)]
                urls += [f"{url}/healthy/{one}" for one in range(healthy)]
                times, memory = _measure(bench, urls, healthy * EVENTS_EACH)
                cuts = quantiles(times, n=100)
                report.figure(f"p50 to delivery, {name}", "ms").values.append(1000 * cuts[49])
                report.figure(f"p95 to delivery, {name}", "ms").values.append(1000 * cuts[94])
                report.figure(f"peak memory of the sender, {name}", "MB").values.append(memory)
    report.ratios += [
        Ratio(
            f"{cut} with hanging ones / without",
            report.figure(f"{cut} to delivery, {hanging} hanging", "ms"),
            report.figure(f"{cut} to delivery, no hanging ones", "ms"),
            at_most=bound,
        )
        for cut, bound in (("p95", 1.3), ("p50", None))
    ]


def _measure(bench: Bench, urls: list[str], expected: int) -> tuple[list[float], float]:
    with bench.database() as database, bench.stack(database) as stack:
        tell(
            stack.environ,
            prepare.__name__,
            urls=urls,
            events=EVENTS_EACH,
            max_in_flight=MAX_IN_FLIGHT,
        )
        database.rows(_HOLD)
        sender = start(stack.environ, send_on.__name__)
        try:
            time.sleep(3)  # it has started, and looks
            database.rows(_BEGIN)
            times = _wait(database, expected)
            memory = _peak_mb(sender.pid)
        finally:
            sender.kill()
            sender.wait()
    return times, memory


def _wait(database: Database, expected: int) -> list[float]:
    end = time.monotonic() + WAIT_SECONDS
    while len(rows := database.rows(_DONE)) < expected:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(rows)} of {expected} delivered in {WAIT_SECONDS:.0f} s")
        time.sleep(0.5)
    return [float(seconds) for (seconds,) in rows]


def _peak_mb(pid: int) -> float:
    """Return the most memory that the process has had so far."""
    process = psutil.Process(pid)
    try:
        with Path(f"/proc/{pid}/status").open() as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1000
    except OSError:
        pass  # not Linux: what it has now will do
    return process.memory_info().rss / 1e6
