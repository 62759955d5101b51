"""What another client's backlog costs: B has a thousand names and 250,000 rows waiting, A posts.

The heuristic takes a second, and two workers run it.
"""

import time
from statistics import quantiles

import requests

from benchmarks.bench import Bench
from benchmarks.figures import Bound, Ratio, Report
from benchmarks.latency import Arrivals
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver

NAMES = 1_000
BATCHES = 5
BATCH_ROWS = 50_000
KNOWN = "NETFLIX.COM"
POSTS = 40
NEW_POSTS = 8
_WAITING = "SELECT count(*) FROM merchants_waiter"


def run(bench: Bench, report: Report) -> None:
    """Measure A alone, beside B's names, and beside B's batches as well."""
    arrivals = Arrivals()
    with (
        bench.database() as database,
        Receiver(on_message=arrivals.note, keep=0) as receiver,
        bench.stack(database, PAVE_HEURISTIC_SECONDS="1", PAVE_WORKERS="2") as stack,
    ):
        a = stack.create_client("A", receiver.url("/a"))["api_key"]
        b = stack.create_client("B", "http://127.0.0.1:9/")["api_key"]
        stack.start_web()
        stack.start_cluster()
        arrivals.wait_for(stack.post(a, KNOWN), 60)
        for number in range(bench.rounds):
            _known(report, "alone", stack, a, arrivals)
            _upload(stack, b, NAMES, f"N{number}")
            stack.wait_for(lambda: database.rows(_WAITING)[0][0] > NAMES / 2, 120)
            _known(report, "beside names", stack, a, arrivals)
            _new(report, "beside names", stack, a, arrivals, number)
            for batch in range(BATCHES):
                _upload(stack, b, BATCH_ROWS, f"B{number}X{batch}")
            _known(report, "beside batches", stack, a, arrivals)
            _new(report, "beside batches", stack, a, arrivals, number)
            _cancel(stack, b)
    alone = report.figure("known, p50, alone", "ms")
    for beside in ("beside names", "beside batches"):
        known = report.figure(f"known, p50, {beside}", "ms")
        report.ratios.append(Ratio(f"known {beside} / alone", known, alone))
        report.bounds.append(Bound(report.figure(f"new, slowest, {beside}", "s"), at_most=5))


def _known(report: Report, name: str, stack: Stack, key: str, arrivals: Arrivals) -> None:
    taken = []
    for _ in range(POSTS):
        begun = time.perf_counter()
        taken.append(1000 * (arrivals.wait_for(stack.post(key, KNOWN), 60) - begun))
    cuts = quantiles(taken, n=100)
    report.figure(f"known, p50, {name}", "ms").values.append(cuts[49])
    report.figure(f"known, p99, {name}", "ms").values.append(cuts[98])


def _new(
    report: Report, name: str, stack: Stack, key: str, arrivals: Arrivals, number: int
) -> None:
    taken = []
    for post in range(NEW_POSTS):
        begun = time.perf_counter()
        text = f"{name[-5:]} SHOP {number}Q{post}".upper()
        taken.append(arrivals.wait_for(stack.post(key, text), 120) - begun)
    report.figure(f"new, slowest, {name}", "s").values.append(max(taken))


def _upload(stack: Stack, key: str, rows: int, prefix: str) -> None:
    body = "".join(f'{{"description": "{prefix}ROW{row} TRADING"}}\n' for row in range(rows))
    headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/x-ndjson"}
    taken = requests.post(f"{stack.web_url}/v1/batches", body, headers=headers, timeout=120)
    # B itself is refused once its share of the queue is full.
    assert taken.status_code in (202, 503), taken.text


def _cancel(stack: Stack, key: str) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Api-Key {key}"
        batches = session.get(f"{stack.web_url}/v1/batches?limit=100", timeout=20).json()["data"]
        for batch in batches:
            session.post(f"{stack.web_url}/v1/batches/{batch['id']}/cancel", timeout=60)
