"""Whether Pave stays as it is: an hour at half of what the machine takes.

Each round is a minute of posts of known and unknown descriptors, with everything answered and sent.
After a warm-up, the last third of the rounds is held against the first: memory, open files,
connections of PostgreSQL and times must not grow. Dead rows must be few, and every post be taken.
PAVE_SOAK_MINUTES sets another length, six at least.
"""

import json
import os
from collections.abc import Iterator
from statistics import median

import psutil

from benchmarks.accept import load_of
from benchmarks.bench import Bench
from benchmarks.figures import Bound, Figure, Ratio, Report
from benchmarks.latency import settled
from benchmarks.load import Answered, put
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver

MINUTES = max(6, int(os.environ.get("PAVE_SOAK_MINUTES", "60")))
ROUND_SECONDS = 60.0
WARM_UP_ROUNDS = 2
CONNECTIONS = 8
_DEAD = """
    SELECT coalesce(100 * sum(n_dead_tup) / nullif(sum(n_dead_tup + n_live_tup), 0), 0)
    FROM pg_stat_user_tables
"""
_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
# What the last third may be of the first.
MOST = {"memory": 1.15, "open files": 1.1, "connections": 1.1, "p50": 1.3, "p99": 2.0}


def run(bench: Bench, report: Report) -> None:
    """Post for MINUTES, and look at everything each minute."""
    with (
        bench.database() as database,
        Receiver(keep=0) as receiver,
        bench.stack(database) as stack,
    ):
        key = stack.create_client("1234", receiver.url("/hook"))["api_key"]
        stack.manage("import_merchants")
        stack.start_web()
        stack.start_cluster()
        stack.post(key, "NETFLIX.COM")
        half = _post(stack, key, 0, 5.0, 0.0).per_second / 2
        stack.wait_for(lambda: settled(database), 300)
        for number in range(1, MINUTES + 1):
            answered = _post(stack, key, number, ROUND_SECONDS, half)
            stack.wait_for(lambda: settled(database), 120)
            if number <= WARM_UP_ROUNDS:
                continue
            processes = list(_processes(stack))
            for name, unit, value in (
                ("memory", "MB", sum(map(_memory, processes)) / 1e6),
                ("open files", "", sum(map(_files, processes))),
                ("connections", "", database.rows(_OPEN)[0][0]),
                ("dead rows", "%", database.rows(_DEAD)[0][0]),
                ("taken", "/s", answered.per_second),
                ("p50", "ms", answered.p50_ms),
                ("p99", "ms", answered.p99_ms),
            ):
                report.figure(name, unit).values.append(float(value))
            report.figure("not taken", "").values.append(float(answered.failures))
    report.bounds += [
        Bound(report.figure("not taken", ""), at_most=0),
        # Autovacuum begins at a fifth of a table.
        Bound(report.figure("dead rows", "%"), at_most=30),
    ]
    for name, most in MOST.items():
        figure = report.figure(name, "")
        first, last = _thirds(figure)
        report.ratios.append(
            Ratio(f"{name}, last third / first third of the minutes", last, first, at_most=most)
        )


def _post(stack: Stack, key: str, number: int, seconds: float, per_second: float) -> Answered:
    """Post nine known descriptors for each one that nobody has sent before."""
    posts = int(seconds * (per_second or 2_000))
    texts = [f"NETFLIX.COM {at}" if at % 10 else f"SOAK{number}X{at} STORE" for at in range(posts)]
    bodies = [json.dumps({"description": text, "amount": "12.99"}) for text in texts]
    return put(load_of(stack.web_url, key, CONNECTIONS, bodies, seconds, per_second))


def _processes(stack: Stack) -> Iterator[psutil.Process]:
    for started in stack.processes():
        yield started
        yield from started.children(recursive=True)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().uss)
    except psutil.Error:
        return 0  # a worker that is just replaced


def _files(process: psutil.Process) -> int:
    try:
        return int(process.num_fds())
    except psutil.Error:
        return 0


def _thirds(figure: Figure) -> tuple[Figure, Figure]:
    """Return the medians of the first and of the last third of a figure's minutes."""
    third = max(1, len(figure.values) // 3)
    return (
        Figure("first", figure.unit, [median(figure.values[:third])]),
        Figure("last", figure.unit, [median(figure.values[-third:])]),
    )
