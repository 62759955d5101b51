"""What one known transaction costs, from its post to the endpoint's answer: CPU by role, and disk.

At a steady rate, and as fast as the web server takes them until all are delivered; the latter gives
how many a second one machine does in sum.
"""

import time

import psutil

from benchmarks.accept import BODIES, load_of
from benchmarks.bench import Bench
from benchmarks.figures import Report
from benchmarks.latency import settled
from benchmarks.load import put
from benchmarks.receiving import receiver

STEADY_PER_SECOND = 300.0
SECONDS = 12.0
CONNECTIONS = 8
SETTLED_SECONDS = 180
_BACKEND = "SELECT pg_backend_pid()"
_SIZE = "SELECT pg_database_size(current_database())"


def run(bench: Bench, report: Report) -> None:
    """Put both loads on the machine, each round, and divide what was used by the requests."""
    with receiver() as url, bench.database() as database, bench.stack(database) as stack:
        key = stack.create_client("1234", url)["api_key"]
        web = stack.start_web()
        cluster = stack.start_cluster()
        stack.post(key, "NETFLIX.COM")
        stack.wait_for(lambda: settled(database), 60)
        postgres = psutil.Process(database.rows(_BACKEND)[0][0]).ppid()
        roles = {"web": web.pid, "cluster": cluster.pid, "PostgreSQL": postgres}
        for _ in range(bench.rounds):
            for name, per_second in (
                (f"{STEADY_PER_SECOND:g} a second", STEADY_PER_SECOND),
                ("full load", 0.0),
            ):
                before = {role: _cpu_seconds(pid) for role, pid in roles.items()}
                size = database.rows(_SIZE)[0][0]
                begun = time.perf_counter()
                answered = put(
                    load_of(stack.web_url, key, CONNECTIONS, BODIES, SECONDS, per_second)
                )
                stack.wait_for(lambda: settled(database), SETTLED_SECONDS)
                took = time.perf_counter() - begun
                for role, pid in roles.items():
                    report.figure(f"CPU of {role}, {name}", "ms").values.append(
                        1000 * (_cpu_seconds(pid) - before[role]) / answered.requests
                    )
                report.figure(f"taken and delivered, {name}", "/s").values.append(
                    answered.requests / took
                )
                grown = database.rows(_SIZE)[0][0] - size
                report.figure(f"disk, {name}", "bytes").values.append(grown / answered.requests)
                if answered.failures:
                    report.notes.append(
                        f"{name}: {answered.failures} of {answered.requests} not taken"
                    )


def _cpu_seconds(pid: int) -> float:
    """Return what a process and its descendants have used, those that have ended included."""
    first = psutil.Process(pid)
    times = [first.cpu_times(), *(child.cpu_times() for child in first.children(recursive=True))]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)
