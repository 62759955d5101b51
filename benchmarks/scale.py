"""Whether more workers and more machines do more work.

The heuristic: one cluster with one worker, with two, and two clusters with one worker each on "two
machines": separate processes with separate settings on one database.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bench import Bench
from benchmarks.figures import Ratio, Report
from tests.system.databases import Database
from tests.system.stack import Stack

QUESTIONS = 40
BURN_SECONDS = 0.2
BURNING = "benchmarks.compared.heuristic.Burning"


def run(bench: Bench, report: Report) -> None:
    """Measure the three arrangements in turn."""
    for _ in range(bench.rounds):
        for name, clusters, workers in (
            ("one cluster, one worker", 1, 1),
            ("one cluster, two workers", 1, 2),
            ("two clusters, one worker each", 2, 1),
        ):
            with (
                bench.database() as database,
                _clusters(bench, database, clusters, workers) as (
                    stack,
                    key,
                ),
            ):
                report.figure(f"heuristic runs, {name}", "/s").values.append(
                    _throughput(stack, key, database)
                )
    one = report.figure("heuristic runs, one cluster, one worker", "/s")
    for name in ("one cluster, two workers", "two clusters, one worker each"):
        report.ratios.append(
            Ratio(
                f"{name} / one worker",
                report.figure(f"heuristic runs, {name}", "/s"),
                one,
                at_least=1.9,
            )
        )


@contextmanager
def _clusters(
    bench: Bench, database: Database, clusters: int, workers: int
) -> Iterator[tuple[Stack, str]]:
    settings = {
        "PAVE_HEURISTIC": BURNING,
        "PAVE_WORKERS": str(workers),
        "BENCH_BURN_SECONDS": str(BURN_SECONDS),
    }
    with bench.stack(database, **settings) as stack, bench.stack(database, **settings) as other:
        key = json.loads(stack.manage("create_client", "1234", "--json"))["api_key"]
        stack.start_web()
        stack.start_cluster()
        if clusters > 1:
            other.start_cluster()
        stack.post(key, "WARM UP")
        stack.wait_for(lambda: _finished(database) == 1, 60)
        yield stack, key


def _throughput(stack: Stack, key: str, database: Database) -> float:
    begun = time.perf_counter()
    for number in range(QUESTIONS):
        stack.post(key, f"BURN {number}")
    stack.wait_for(lambda: _finished(database) == QUESTIONS + 1, 120)
    return QUESTIONS / (time.perf_counter() - begun)


def _finished(database: Database) -> int:
    sql = "SELECT count(*) FROM merchants_resolution WHERE status = 'resolved'"
    return database.rows(sql)[0][0]
