"""How fast what has been kept for long enough goes, and what that costs whoever posts meanwhile.

A million finished requests with their events, deliveries and attempts, of which all are old enough.
"""

import os
import subprocess
import sys
import time

from benchmarks import growth_rows
from benchmarks.accept import BODIES, load_of
from benchmarks.bench import ROOT, Bench
from benchmarks.figures import Ratio, Report
from benchmarks.load import put

REQUESTS = int(os.environ.get("PAVE_BENCH_REQUESTS", "1_000_000"))
SECONDS = 20.0
_ROWS = """
SELECT (SELECT count(*) FROM merchants_normalizationrequest),
    (SELECT count(*) FROM webhooks_event) + (SELECT count(*) FROM webhooks_delivery)
    + (SELECT count(*) FROM webhooks_deliveryattempt)
"""
_SIZE = """
SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(ARRAY[
    'merchants_normalizationrequest', 'webhooks_event', 'webhooks_delivery',
    'webhooks_deliveryattempt']) AS name
"""


def run(bench: Bench, report: Report) -> None:
    """Remove for a while, with and without a load of posts."""
    with bench.database() as database, bench.stack(database, PAVE_RETENTION_DAYS="1") as stack:
        key = stack.create_client("1234", "http://127.0.0.1:9/")["api_key"]
        stack.start_web()
        cluster = stack.start_cluster()
        stack.post(key, "NETFLIX.COM")
        stack.wait_for(lambda: database.rows("SELECT count(*) FROM merchants_resolution")[0][0], 60)
        cluster.terminate()
        cluster.wait(60)
        growth_rows.fill(database, REQUESTS)
        report.figure("disk for each request and all that comes of it", "bytes").values.append(
            float(database.rows(_SIZE)[0][0]) / REQUESTS
        )
        for _ in range(bench.rounds):
            before = put(load_of(stack.web_url, key, 2, BODIES, 5.0))
            report.figure("post, p99, nothing removed", "ms").values.append(before.p99_ms)
            rows = database.rows(_ROWS)[0]
            begun = time.perf_counter()
            pruning = subprocess.Popen(
                [sys.executable, "manage.py", "prune"],
                cwd=ROOT,
                env=stack.environ,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            during = put(load_of(stack.web_url, key, 2, BODIES, SECONDS))
            pruning.kill()
            pruning.wait()
            took = time.perf_counter() - begun
            left = database.rows(_ROWS)[0]
            report.figure("post, p99, while rows are removed", "ms").values.append(during.p99_ms)
            gone = sum(rows) + during.requests - sum(left)
            report.figure("rows removed", "/s").values.append(gone / took)
    report.ratios.append(
        Ratio(
            "p99 of posts, while rows are removed / not",
            report.figure("post, p99, while rows are removed", "ms"),
            report.figure("post, p99, nothing removed", "ms"),
        )
    )
