"""How many runs of the heuristic a feed costs, beside how many merchants are in it.

The feed is benchmarks.feed's: merchants by Zipf's law, and store numbers, references and cities
drawn anew for every row. It goes through the whole of Pave, as batches.
"""

import json

import requests

from benchmarks.bench import Bench
from benchmarks.feed import feed
from benchmarks.figures import Ratio, Report
from tests.system.databases import Database

ROWS = 7_500
BATCH = 3_750
_RATE = """
SELECT count(*) / extract(epoch FROM max(finished_at) - min(created_at)) FROM merchants_resolution
"""


def run(bench: Bench, report: Report) -> None:
    """Send one feed per round, each into an empty database."""
    runs = report.figure("runs of the heuristic", "")
    merchants = report.figure("distinct merchants in the feed", "")
    answered = report.figure("new resolutions, two workers, beside the rest", "/s")
    for number in range(bench.rounds):
        rows = list(feed(ROWS, seed=number))
        with bench.database() as database, bench.stack(database) as stack:
            stack.manage("import_merchants")
            key = json.loads(stack.manage("create_client", "1234", "--json"))["api_key"]
            stack.start_web()
            stack.start_cluster()
            for start in range(0, ROWS, BATCH):
                lines = [
                    json.dumps({"description": text}) for text, _ in rows[start : start + BATCH]
                ]
                answer = requests.post(
                    f"{stack.web_url}/v1/batches",
                    data="\n".join(lines).encode(),
                    headers={
                        "Authorization": f"Api-Key {key}",
                        "Content-Type": "application/x-ndjson",
                    },
                    timeout=60,
                )
                answer.raise_for_status()
            stack.wait_for(lambda db=database: _all_done(db), 300)
            runs.values.append(
                float(database.rows("SELECT sum(attempts) FROM merchants_resolution")[0][0])
            )
            answered.values.append(float(database.rows(_RATE)[0][0]))
        merchants.values.append(float(len({merchant for _, merchant in rows})))
    report.ratios.append(Ratio("runs per distinct merchant", runs, merchants, at_most=1.05))


def _all_done(database: Database) -> bool:
    sql = (
        "SELECT count(*) FROM merchants_normalizationrequest "
        "WHERE status NOT IN ('queued', 'processing')"
    )
    return database.rows(sql)[0][0] == ROWS
