"""Whether a figure depends on how much has been done before: 0, 1 and 10 million requests.

Three databases, the larger ones with as many finished requests, events, deliveries and attempts of
one client. Accepting, admitting, claiming, the way from the post to the webhook, and lists are
measured in each in turn.
"""

import json
import os
import time
from dataclasses import dataclass
from statistics import median

import requests

from benchmarks import growth_rows
from benchmarks.accept import load_of
from benchmarks.bench import Bench
from benchmarks.claim import CLAIMS, DUE_EACH, ROOM, WEBHOOKS
from benchmarks.figures import Figure, Ratio, Report
from benchmarks.latency import Arrivals
from benchmarks.load import put
from benchmarks.sending import claims, prepare, tell
from tests.system.databases import Database
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver

SIZES = [int(size) for size in os.environ.get("PAVE_BENCH_SIZES", "0 1_000_000 10_000_000").split()]
# A ratio of two figures is to be trusted to a tenth, which three rounds do not give here.
ROUNDS = 5
SECONDS = 4.0
POSTS = 60
PAUSE_SECONDS = 0.02
LOOKS = 40
BODY = json.dumps({"date": "2021-10-03", "description": "NETFLIX.COM", "amount": "12.99"})
MOST = 1.1


@dataclass(frozen=True, slots=True)
class Grown:
    """A database of a size, and what runs on it."""

    size: int
    database: Database
    stack: Stack
    key: str
    receiver: Receiver
    arrivals: Arrivals


def run(bench: Bench, report: Report) -> None:
    """Make the databases, and measure in each in turn."""
    _grow(bench, report, SIZES, [])


def _grow(bench: Bench, report: Report, sizes: list[int], grown: list[Grown]) -> None:
    """Add a database for each size that is left, inside those before; then measure."""
    if not sizes:
        for _ in range(max(bench.rounds, ROUNDS)):
            for one in grown:
                _measure(report, one)
        _compare(report)
        return
    size, *left = sizes
    arrivals = Arrivals()
    with (
        Receiver(on_message=arrivals.note, keep=0) as receiver,
        bench.database() as database,
        bench.stack(database) as stack,
    ):
        one = _prepare(Grown(size, database, stack, "", receiver, arrivals), report)
        _grow(bench, report, left, [*grown, one])


def _prepare(one: Grown, report: Report) -> Grown:
    key = one.stack.create_client("1234", one.receiver.url("/hook"))["api_key"]
    one.stack.start_web()
    cluster = one.stack.start_cluster()
    one.arrivals.wait_for(one.stack.post(key, "NETFLIX.COM"), 60)
    one.stack.wait_for(lambda: _is_quiet(one.database), 60)
    cluster.terminate()
    cluster.wait(60)
    begun = time.monotonic()
    growth_rows.fill(one.database, one.size)
    report.notes.append(f"{one.size:,} requests made in {time.monotonic() - begun:.0f} s")
    tell(
        one.stack.environ,
        prepare.__name__,
        urls=[f"http://127.0.0.1:9/{number}" for number in range(WEBHOOKS)],
        events=DUE_EACH,
        max_in_flight=64,
    )
    one.database.rows('UPDATE webhooks_webhook SET "window" = 64, steady = true')
    _put_off(one.database, "1 day")
    return Grown(one.size, one.database, one.stack, key, one.receiver, one.arrivals)


def _measure(report: Report, one: Grown) -> None:
    def note(name: str, unit: str, value: float) -> None:
        _figure(report, name, one.size, unit).values.append(value)

    answered = put(load_of(one.stack.web_url, one.key, 32, [BODY], SECONDS))
    note("accept, 32 connections", "ms", 1000 / answered.per_second)
    done = tell(one.stack.environ, "admit_all")
    note("admit", "ms", 1000 * done["seconds"] / done["count"])
    # Nobody is to send what this has left, when the cluster runs.
    one.database.rows("UPDATE webhooks_delivery SET status = 'canceled', next_attempt_at = NULL "
                      "WHERE status = 'pending' AND next_attempt_at <= now()")  # fmt: skip
    _put_off(one.database, "-1 second")
    note(
        "claim of 64",
        "ms",
        1000 * median(tell(one.stack.environ, claims.__name__, count=CLAIMS, room=ROOM)),
    )
    _put_off(one.database, "1 day")
    session = requests.Session()
    session.headers["Authorization"] = f"Api-Key {one.key}"
    webhook = session.get(f"{one.stack.web_url}/v1/webhooks").json()["data"][0]["id"]
    for name, path in (
        ("list of requests", "/v1/normalizations?limit=50"),
        ("list of deliveries", f"/v1/webhooks/{webhook}/deliveries?limit=50"),
    ):
        note(name, "ms", _look(session, one.stack.web_url + path))
    cluster = one.stack.start_cluster()
    one.arrivals.wait_for(one.stack.post(one.key, "NETFLIX.COM"), 60)
    took = []
    for _ in range(POSTS):
        begun = time.perf_counter()
        request_id = one.stack.post(one.key, "NETFLIX.COM")
        took.append(1000 * (one.arrivals.wait_for(request_id, 60) - begun))
        time.sleep(PAUSE_SECONDS)
    note("post to webhook, p50", "ms", median(took))
    cluster.terminate()
    cluster.wait(60)


def _look(session: requests.Session, url: str) -> float:
    times = []
    for _ in range(LOOKS):
        begun = time.perf_counter()
        session.get(url, timeout=30).raise_for_status()
        times.append(1000 * (time.perf_counter() - begun))
    return median(times)


def _compare(report: Report) -> None:
    names = [figure.name.rpartition(":")[0] for figure in report.figures]
    for name in dict.fromkeys(names):
        empty = _figure(report, name, SIZES[0], "ms")
        report.ratios += [
            Ratio(
                f"{name}: {size:,} / none", _figure(report, name, size, "ms"), empty, at_most=MOST
            )
            for size in SIZES[1:]
        ]


def _figure(report: Report, name: str, size: int, unit: str) -> Figure:
    return report.figure(f"{name}: {size:,} requests", unit)


def _put_off(database: Database, interval: str) -> None:
    """Have what is to be claimed be due in a while, or a moment ago."""
    database.rows(
        "UPDATE webhooks_delivery SET next_attempt_at = now() + %s::interval "
        "WHERE status = 'pending'",
        interval,
    )


def _is_quiet(database: Database) -> bool:
    sql = "SELECT count(*) FROM webhooks_delivery WHERE status IN ('pending', 'delivering')"
    return database.rows(sql)[0][0] == 0
