"""How fast requests are taken, beside a bare view with one INSERT and the seed's design.

Each of the three is measured at 2 and at 32 connections, idle and while every heuristic worker
burns. Pave's cluster runs beside it, as it does in life, with two exceptions: at 32 connections,
idle, where the server is saturated and nothing but the accept path is compared, and for the bare
view, idle, which has none. What burns beside the bare view are Pave's workers; the seed's design
has its own.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from benchmarks.bench import Bench, serve
from benchmarks.figures import Ratio, Report
from benchmarks.load import Load, put
from tests.system.databases import Database
from tests.system.stack import Stack

SECONDS = 2.0
CONNECTIONS = (2, 32)
WORKERS = 2
BURNING = "benchmarks.compared.heuristic.Burning"


def _body(description: str) -> str:
    return json.dumps({"date": "2021-10-03", "description": description, "amount": "12.99"})


BODIES = [_body(f"NETFLIX.COM {number}") for number in range(50)]


def run(bench: Bench, report: Report) -> None:
    """Measure all variants, interleaved."""
    with (
        bench.database() as database,
        _pave(bench, database) as (stack, key),
        _bare(bench, database) as bare_url,
    ):
        for _ in range(bench.rounds):
            measure(report, "pave", stack.web_url, key, 32)
            _measure_all(report, "bare view", bare_url)
            with _cluster(stack, database):
                measure(report, "pave", stack.web_url, key, 2)
                _burn(stack, key, database)
                _measure_all(report, "pave, burning", stack.web_url, key)
                _measure_all(report, "bare view, burning", bare_url)
            with _seed(bench, database) as seed_url:
                _measure_all(report, "seed's design", seed_url)
                for number in range(WORKERS):
                    put(load_of(seed_url, "", 1, [_body(f"BURN {number}")], seconds=0.05))
                _measure_all(report, "seed's design, burning", seed_url)
    figure = report.figure
    report.ratios += [
        Ratio(
            "pave / bare view with one INSERT, requests/s, 32 connections",
            figure("pave, 32 connections", "/s"),
            figure("bare view, 32 connections", "/s"),
            at_least=0.8,
        ),
        Ratio(
            "pave burning / pave idle, p99, 2 connections",
            figure("pave, burning, 2 connections, p99", "ms"),
            figure("pave, 2 connections, p99", "ms"),
            at_most=3,
        ),
        Ratio(
            "pave / seed's design, both burning, p99, 2 connections",
            figure("pave, burning, 2 connections, p99", "ms"),
            figure("seed's design, burning, 2 connections, p99", "ms"),
            at_most=0.1,
        ),
    ]


def _measure_all(report: Report, name: str, url: str, key: str = "") -> None:
    for connections in CONNECTIONS:
        measure(report, name, url, key, connections)


def measure(report: Report, name: str, url: str, key: str, connections: int) -> None:
    """Note how many posts a second a server takes from so many connections, and how fast.

    Args:
        report: Where to.
        name: What is measured.
        url: Of the server.
        key: The client's; "" where none is needed.
        connections: How many post at the same time.
    """
    answered = put(load_of(url, key, connections, BODIES, SECONDS))
    if answered.failures:
        report.notes.append(f"{name}: {answered.failures} of {answered.requests} not taken")
    name = f"{name}, {connections} connections"
    report.figure(name, "/s").values.append(answered.per_second)
    report.figure(f"{name}, p50", "ms").values.append(answered.p50_ms)
    report.figure(f"{name}, p99", "ms").values.append(answered.p99_ms)


def load_of(
    url: str,
    key: str,
    connections: int,
    bodies: list[str],
    seconds: float,
    per_second: float = 0.0,
) -> Load:
    """Return a load of posts to the seed's route; see ``benchmarks.load``."""
    parts = urlsplit(url)
    return Load(
        host=parts.hostname or "",
        port=parts.port or 0,
        path="/normalize_merchant",
        bodies=bodies,
        headers={"Authorization": f"Api-Key {key}"} if key else {},
        connections=connections,
        seconds=seconds,
        per_second=per_second,
    )


@contextmanager
def _pave(bench: Bench, database: Database) -> Iterator[tuple[Stack, str]]:
    """Run Pave's web server."""
    settings = {"PAVE_HEURISTIC": BURNING, "PAVE_WORKERS": str(WORKERS)}
    with bench.stack(database, **settings) as stack:
        key = json.loads(stack.manage("create_client", "1234", "--json"))["api_key"]
        stack.start_web()
        stack.post(key, "NETFLIX.COM")  # connections and caches are there before it is measured
        yield stack, key


@contextmanager
def _cluster(stack: Stack, database: Database) -> Iterator[None]:
    """Run Pave's cluster; what burns at the end is given up."""
    cluster = stack.start_cluster()
    stack.wait_for(lambda: _all_admitted(database), 60)
    try:
        yield
    finally:
        _cut_short(cluster)
        database.rows(
            "UPDATE merchants_resolution SET status = 'failed' WHERE status <> 'resolved'"
        )


def _burn(stack: Stack, key: str, database: Database) -> None:
    """Give every worker something to burn for longer than is measured."""
    for number in range(WORKERS * 2):
        stack.post(key, f"BURN {number} {time.time()}")
    stack.wait_for(lambda: _running(database) == WORKERS, 60)


def _cut_short(cluster: subprocess.Popen[bytes]) -> None:
    """Stop a cluster without waiting for what burns: a second signal ends the grace time."""
    cluster.terminate()
    time.sleep(1)
    cluster.terminate()
    cluster.wait(30)


@contextmanager
def _bare(bench: Bench, database: Database) -> Iterator[str]:
    settings = {"DJANGO_SETTINGS_MODULE": "benchmarks.compared.bare_settings"}
    with bench.stack(database, **settings) as stack:
        url, _ = serve(
            stack,
            "-m",
            "gunicorn",
            "-c",
            "python:pave.gunicorn",
            "--bind=127.0.0.1:{port}",
            "pave.wsgi",
        )
        yield url


@contextmanager
def _seed(bench: Bench, database: Database) -> Iterator[str]:
    with bench.stack(database, PAVE_HEURISTIC_SECONDS="30") as stack:
        app = "benchmarks.compared.seed:app"
        url, process = serve(stack, "-m", "uvicorn", "--log-level=warning", "--port={port}", app)
        yield url
        process.kill()  # it would wait for the heuristic


def _running(database: Database) -> int:
    sql = "SELECT count(*) FROM merchants_resolution WHERE status = 'running'"
    return database.rows(sql)[0][0]


def _all_admitted(database: Database) -> bool:
    sql = "SELECT count(*) FROM merchants_normalizationrequest WHERE status = 'queued'"
    return database.rows(sql)[0][0] == 0
