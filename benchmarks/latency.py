"""From the POST to the webhook: a known and an unknown descriptor, idle and under load."""

import json
import threading
import time
from collections.abc import Callable
from statistics import quantiles

from benchmarks.accept import load_of
from benchmarks.bench import Bench
from benchmarks.figures import Bound, Report
from benchmarks.load import put
from tests.system.databases import Database
from tests.system.stack import Stack
from webhooks.receiver.application import Message, Receiver

POSTS = 60
PAUSE_SECONDS = 0.05
LOAD_SECONDS = 3.0
BURNING = "benchmarks.compared.heuristic.Burning"


class Arrivals:
    """When the webhook of each request came."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._changed = threading.Condition()

    def note(self, message: Message, reply: object) -> None:
        """Note one webhook; called by the receiver."""
        now = time.perf_counter()
        with self._changed:
            self._at.setdefault(message.json["request_id"], now)
            self._changed.notify_all()

    def wait_for(self, request_id: str, seconds: float) -> float:
        """Return when the request's webhook came.

        Raises:
            TimeoutError: It did not come within ``seconds``.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: request_id in self._at, seconds):
                raise TimeoutError(f"No webhook for {request_id} within {seconds} s.")
            return self._at[request_id]


def run(bench: Bench, report: Report) -> None:
    """Measure known and unknown in turn, and then known under load."""
    arrivals = Arrivals()
    with (
        bench.database() as database,
        Receiver(on_message=arrivals.note, keep=0) as receiver,
        bench.stack(database, PAVE_HEURISTIC=BURNING, PAVE_WORKERS="1") as stack,
    ):
        made = stack.create_client("1234", receiver.url("/hook"))
        key = made["api_key"]
        stack.start_web()
        stack.start_cluster()
        arrivals.wait_for(stack.post(key, "KNOWN 0"), 60)
        rate = _accept_rate(stack, key)
        stack.wait_for(lambda: settled(database), 120)
        for number in range(bench.rounds):
            _measure(report, "known, idle", stack, key, arrivals, lambda at: f"KNOWN {at}")
            _measure(
                report, "unknown, idle", stack, key, arrivals, lambda at, n=number: f"NEW{n}X{at} 1"
            )
            load = threading.Thread(target=_load, args=(stack, key, rate / 2, 9.0))
            load.start()
            time.sleep(1)
            _measure(
                report, "known, half the accept rate", stack, key, arrivals, lambda at: "KNOWN 1"
            )
            load.join()
            stack.wait_for(lambda: settled(database), 120)
    for name, p50, p99 in (("known, idle", 100, 500), ("unknown, idle", 100, 500)):
        report.bounds.append(Bound(report.figure(f"{name}, p50", "ms"), at_most=p50))
        report.bounds.append(Bound(report.figure(f"{name}, p99", "ms"), at_most=p99))


def _measure(
    report: Report,
    name: str,
    stack: Stack,
    key: str,
    arrivals: Arrivals,
    description: Callable[[int], str],
) -> None:
    taken = []
    for at in range(POSTS):
        begun = time.perf_counter()
        request_id = stack.post(key, description(at))
        taken.append(1000 * (arrivals.wait_for(request_id, 60) - begun))
        time.sleep(PAUSE_SECONDS)
    report.figure(f"{name}, p50", "ms").values.append(quantiles(taken, n=100)[49])
    report.figure(f"{name}, p99", "ms").values.append(quantiles(taken, n=100)[98])


def _load(stack: Stack, key: str, per_second: float, seconds: float) -> float:
    bodies = [json.dumps({"description": f"KNOWN {number}"}) for number in range(50)]
    return put(load_of(stack.web_url, key, 8, bodies, seconds, per_second)).per_second


def _accept_rate(stack: Stack, key: str) -> float:
    return _load(stack, key, 0, LOAD_SECONDS)


def settled(database: Database) -> bool:
    """Return whether nothing is left to be answered or sent."""
    sql = "SELECT EXISTS (SELECT FROM webhooks_delivery WHERE status IN ('pending', 'delivering'))"
    queued = (
        "SELECT EXISTS (SELECT FROM merchants_normalizationrequest "
        "WHERE status IN ('queued', 'processing'))"
    )
    return not any(database.rows(text)[0][0] for text in (queued, sql))
