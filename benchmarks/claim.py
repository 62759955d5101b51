"""Whether finished rows make the claim slower.

Two databases with the same work due, one of them with a million delivered rows besides. Claims of
64 deliveries are timed in one and the other in turn.
"""

from statistics import median

from benchmarks.bench import Bench
from benchmarks.figures import Ratio, Report
from benchmarks.sending import claims, prepare, tell
from tests.system.databases import Database

FINISHED = 1_000_000
WEBHOOKS = 50
DUE_EACH = 40
ROOM = 64
CLAIMS = 60

_FINISH = """
WITH made AS (
    INSERT INTO webhooks_event (id, client_id, type, subject_id, body, created_at)
    SELECT gen_random_uuid(), (SELECT min(id) FROM clients_client), 'normalization.completed',
        gen_random_uuid(), '{{}}', now() - interval '1 day'
    FROM generate_series(1, {count})
    RETURNING id, created_at
), numbered AS (
    SELECT id, created_at, row_number() OVER () AS number FROM made
), webhook AS (
    SELECT id, row_number() OVER () AS number FROM webhooks_webhook
)
INSERT INTO webhooks_delivery (id, event_id, webhook_id, status, held_by, attempts, step,
    "trigger", resume_status, claimed_by, created_at, finished_at)
SELECT gen_random_uuid(), numbered.id, webhook.id, 'succeeded', '', 1, 0, 'automatic', '', '',
    numbered.created_at, numbered.created_at
FROM numbered JOIN webhook ON webhook.number = 1 + numbered.number % {webhooks}
"""


def run(bench: Bench, report: Report, *, finished: int = FINISHED) -> None:
    """Time claims with and without finished rows, in turn."""
    empty = report.figure("claim of 64, no finished rows", "ms")
    full = report.figure(f"claim of 64, {finished:,} finished rows", "ms")
    with (
        bench.database() as without,
        bench.database() as with_rows,
        bench.stack(without) as small,
        bench.stack(with_rows) as large,
    ):
        for stack in (small, large):
            tell(
                stack.environ,
                prepare.__name__,
                urls=[f"http://127.0.0.1:9/{number}" for number in range(WEBHOOKS)],
                events=DUE_EACH,
                max_in_flight=64,
            )
        _finish(with_rows, finished)
        for database in (without, with_rows):
            # Windows wide open, and statistics that know of the rows.
            database.rows('UPDATE webhooks_webhook SET "window" = 64, steady = true')
            database.rows("VACUUM ANALYZE")
        for _ in range(max(bench.rounds, 3)):
            for figure, stack in ((empty, small), (full, large)):
                times = tell(stack.environ, claims.__name__, count=CLAIMS, room=ROOM)
                figure.values.append(1000 * median(times))
    report.ratios.append(Ratio("claim with finished rows / without", full, empty, at_most=1.1))


def _finish(database: Database, count: int) -> None:
    step = 250_000
    for begun in range(0, count, step):
        database.rows(_FINISH.format(count=min(step, count - begun), webhooks=WEBHOOKS))
