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

# A resolution takes up to 30 s in life; what is beside it should weigh as little here as there.
QUESTIONS = 16
BURN_SECONDS = 0.5
# Answers before the count begins: what is asked has been admitted then.
FIRST = 4
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
    """Return answers per second, once all workers are at it."""
    for number in range(QUESTIONS):
        stack.post(key, f"BURN {number}")
    while _finished(database) <= QUESTIONS:
        time.sleep(1)  # not more often: what looks takes from what is looked at
    sql = (
        "SELECT extract(epoch FROM finished_at) FROM merchants_resolution "
        "WHERE status = 'resolved' ORDER BY finished_at OFFSET 1"  # behind the one to warm up
    )
    finished = [float(moment) for (moment,) in database.rows(sql)]
    return (QUESTIONS - FIRST) / (finished[-1] - finished[FIRST - 1])


def _finished(database: Database) -> int:
    sql = "SELECT count(*) FROM merchants_resolution WHERE status = 'resolved'"
    return database.rows(sql)[0][0]
