"""Which web server takes the most: Pave's own, and those that it could have had instead.

Each has as many processes and threads as Pave's, and runs the same application on one database. No
cluster runs, as nothing but the way to the 202 is looked at.
"""

import json

from benchmarks.accept import CONNECTIONS, measure
from benchmarks.bench import Bench, peak_memory_mb, serve
from benchmarks.figures import Ratio, Report
from tests.system.stack import Stack

GUNICORN = ("-m", "gunicorn", "--bind=127.0.0.1:{port}", "-c", "python:pave.gunicorn", "pave.wsgi")
PAVES = "gunicorn, threads"
SERVERS = {
    PAVES: GUNICORN,
    "gunicorn, one request a process": (*GUNICORN, "--worker-class=sync", "--threads=1"),
    "granian, WSGI": (
        *("-m", "granian", "--interface=wsgi", "--workers=2", "--blocking-threads=12"),
        *("--log-level=error", "--port={port}", "pave.wsgi:application"),
    ),
}


def run(bench: Bench, report: Report) -> None:
    """Measure each server in each round, one after the other."""
    with bench.database() as database:
        for _ in range(bench.rounds):
            for name, arguments in SERVERS.items():
                with bench.stack(database, DJANGO_SETTINGS_MODULE="pave.settings") as stack:
                    _measure(report, stack, name, arguments)
                database.rows("TRUNCATE clients_client CASCADE")
    paves = report.figure(f"{PAVES}, {CONNECTIONS[-1]} connections", "/s")
    report.ratios += [
        Ratio(
            f"{name} / {PAVES}, requests/s, {CONNECTIONS[-1]} connections",
            report.figure(f"{name}, {CONNECTIONS[-1]} connections", "/s"),
            paves,
        )
        for name in list(SERVERS)[1:]
    ]


def _measure(report: Report, stack: Stack, name: str, arguments: tuple[str, ...]) -> None:
    key = json.loads(stack.manage("create_client", "1234", "--json"))["api_key"]
    stack.web_url, server = serve(stack, *arguments)
    for _ in range(20):
        stack.post(key, "NETFLIX.COM")  # every process has started and has its connections
    for connections in CONNECTIONS:
        measure(report, name, stack.web_url, key, connections)
    report.figure(f"{name}, memory", "MB").values.append(peak_memory_mb(server.pid))
