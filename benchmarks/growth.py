"""Whether a figure depends on how much has been done before: 0, 1 and 10 million requests.

Rows of finished requests, with their events, deliveries and attempts in proportion, are written by
the database itself. What is measured then: accepting, admission, the look at a list's first page,
and the claim.
"""

import json
import time

import requests

from benchmarks.accept import load_of
from benchmarks.bench import Bench
from benchmarks.figures import Ratio, Report
from benchmarks.load import put
from benchmarks.sending import tell
from tests.system.databases import Database
from tests.system.stack import Stack

SIZES = (0, 1_000_000, 10_000_000)
SECONDS = 4.0
BODY = json.dumps({"date": "2021-10-03", "description": "NETFLIX.COM", "amount": "12.99"})
FILL = """
INSERT INTO merchants_normalizationrequest
    (id, client_id, status, description, amount, currency, mcc, country, city, reference, error,
     created_at, completed_at, resolution_id)
SELECT ('018f' || lpad(to_hex(n), 8, '0') || '7000' || '8' || substr(md5(n::text), 1, 15))::uuid,
    (SELECT id FROM clients_client WHERE client_id = '1234'), 'completed', 'NETFLIX.COM ' || n,
    '12.99', 'USD', '', '', '', 'r-' || n, '', now() - interval '1 day', now() - interval '1 day',
    (SELECT id FROM merchants_resolution LIMIT 1)
FROM generate_series(%s, %s) AS n
"""


def run(bench: Bench, report: Report) -> None:
    """Fill one database step by step, and measure at each size."""
    with bench.database() as database, bench.stack(database) as stack:
        key = json.loads(stack.manage("create_client", "1234", "--json"))["api_key"]
        stack.start_web()
        cluster = stack.start_cluster()
        stack.post(key, "NETFLIX.COM")
        stack.wait_for(lambda: _answered(database), 60)
        cluster.terminate()
        cluster.wait(60)
        filled = 0
        for size in SIZES:
            bench.progress.console.print(f"  filling up to {size:,} requests", style="dim")
            if size > filled:
                database.rows(FILL, filled + 1, size)
                filled = size
            database.rows("VACUUM ANALYZE")
            for _ in range(bench.rounds):
                _measure(report, stack, key, database, size)
    for name in ("accept", "admission"):
        for size in SIZES[1:]:
            report.ratios.append(
                Ratio(
                    f"{name}: none / {size:,} requests, requests/s",
                    report.figure(f"{name}, {SIZES[0]:,} requests", "/s"),
                    report.figure(f"{name}, {size:,} requests", "/s"),
                    at_most=1.1,
                )
            )
    for size in SIZES[1:]:
        report.ratios.append(
            Ratio(
                f"list's first page: {size:,} / none, ms",
                report.figure(f"list, {size:,} requests", "ms"),
                report.figure(f"list, {SIZES[0]:,} requests", "ms"),
                at_most=1.1,
            )
        )


def _measure(report: Report, stack: Stack, key: str, database: Database, size: int) -> None:
    answered = put(load_of(stack.web_url, key, 32, [BODY], SECONDS))
    report.figure(f"accept, {size:,} requests", "/s").values.append(answered.per_second)
    done = tell(stack.environ, "admit_all")
    report.figure(f"admission, {size:,} requests", "/s").values.append(
        done["count"] / done["seconds"]
    )
    times = []
    for _ in range(30):
        begun = time.perf_counter()
        requests.get(
            f"{stack.web_url}/v1/normalizations?limit=50",
            headers={"Authorization": f"Api-Key {key}"},
            timeout=30,
        ).raise_for_status()
        times.append(1000 * (time.perf_counter() - begun))
    report.figure(f"list, {size:,} requests", "ms").values.append(sorted(times)[15])


def _answered(database: Database) -> bool:
    sql = "SELECT count(*) FROM merchants_resolution WHERE status = 'resolved'"
    return database.rows(sql)[0][0] > 0
