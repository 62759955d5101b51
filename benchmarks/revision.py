"""A published rule that changes 1 in 100 of 100,000 earlier requests: who is told, and how fast."""

import time

from benchmarks.bench import Bench
from benchmarks.figures import Bound, Report
from benchmarks.sending import tell
from tests.system.databases import Database

REQUESTS = 100_000
ONE_IN = 100


def run(bench: Bench, report: Report) -> None:
    """Do it once for each round, on a new database."""
    told = report.figure("normalization.updated events", "")
    others = report.figure("other events after the publication", "")
    rate = report.figure("earlier requests looked at", "/s")
    for _ in range(bench.rounds):
        with bench.database() as database, bench.stack(database) as stack:
            stack.manage("import_merchants")
            stack.create_client("1234", "http://127.0.0.1:9/hook")
            tell(stack.environ, "prepare_requests", count=REQUESTS, one_in=ONE_IN)
            before = _events(database)
            stack.start_cluster()
            begun = time.perf_counter()
            stack.wait_for(lambda db=database: _done(db), 600)
            rate.values.append(REQUESTS / (time.perf_counter() - begun))
            after = _events(database)
            told.values.append(float(after.pop("normalization.updated", 0)))
            others.values.append(float(sum(after.values()) - sum(before.values())))
    wanted = REQUESTS / ONE_IN
    report.bounds += [
        Bound(told, at_least=wanted, at_most=wanted),
        Bound(others, at_most=0),
    ]


def _events(database: Database) -> dict[str, int]:
    return dict(database.rows("SELECT type, count(*) FROM webhooks_event GROUP BY type"))


def _done(database: Database) -> bool:
    sql = "SELECT count(*) FROM merchants_revision WHERE status = 'running'"
    return database.rows(sql)[0][0] == 0
