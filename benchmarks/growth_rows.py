"""Finished requests of one client with their events, deliveries and attempts, one of each.

PostgreSQL writes them itself, a million in about half a minute.
"""

from tests.system.databases import Database

DAYS = 80
STEP = 1_000_000

# Ids begin with their time, as pave.core.ids.new_id makes them.
_ROWS = """
SET session_replication_role = replica;
CREATE TEMP TABLE made AS
SELECT n, at,
    (prefix || '7' || substr(digits, 1, 3) || '8' || substr(digits, 4, 15))::uuid AS request,
    (prefix || '7' || substr(digits, 2, 3) || '9' || substr(digits, 5, 15))::uuid AS event,
    (prefix || '7' || substr(digits, 3, 3) || 'a' || substr(digits, 6, 15))::uuid AS delivery
FROM (
    SELECT n, at, md5(n::text) AS digits,
        lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') AS prefix
    FROM (
        SELECT n, now() - interval '{days} days' + n * interval '{days} days' / ({total} + 1) AS at
        FROM generate_series({first}::bigint, {last}::bigint) AS n
    ) AS moments
) AS numbered;
INSERT INTO merchants_normalizationrequest (id, client_id, status, description, amount, currency,
    mcc, country, city, reference, error, created_at, completed_at, resolution_id)
SELECT request, client.id, 'completed',
    'SHOP ' || substr(md5(n::text), 1, 6) || ' STORE ' || n % 997,
    '12.99', 'USD', '', '', '', 'r-' || n, '', at, at, resolution.id
FROM made, (SELECT id FROM clients_client WHERE client_id = '1234') AS client,
    (SELECT id FROM merchants_resolution LIMIT 1) AS resolution;
INSERT INTO webhooks_event (id, client_id, type, subject_id, body, created_at)
SELECT event, client.id, 'normalization.completed', request,
    convert_to('{{"type":"normalization.completed","data":{{}}}}', 'UTF8'), at
FROM made, (SELECT id FROM clients_client WHERE client_id = '1234') AS client;
INSERT INTO webhooks_delivery (id, event_id, webhook_id, status, held_by, attempts, step, "trigger",
    resume_status, claimed_by, created_at, finished_at)
SELECT delivery, event, webhook.id, 'succeeded', '', 1, 0, 'automatic', '', '', at, at
FROM made, (SELECT id FROM webhooks_webhook LIMIT 1) AS webhook;
INSERT INTO webhooks_deliveryattempt (delivery_id, number, "trigger", url, started_at, duration_ms,
    resolved_address, status_code, error, detail, request_headers, response_headers, response_head,
    timings)
SELECT delivery, 1, 'automatic', 'https://hooks.client.example/pave', at, 40, '203.0.113.9', 200,
    '', '', jsonb_build_object('webhook-id', event), '{{}}', '', '{{}}'
FROM made;
"""
_TABLES = (
    "merchants_normalizationrequest",
    "webhooks_event",
    "webhooks_delivery",
    "webhooks_deliveryattempt",
)


def fill(database: Database, count: int) -> None:
    """Write so many of each; there must be client 1234, a webhook and a resolution.

    Indexes that stand for no constraint are made afterwards, which is faster by far.
    """
    indexes = database.rows(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT IN"
        " (SELECT conname FROM pg_constraint)",
        list(_TABLES),
    )
    for name, _ in indexes:
        database.rows(f'DROP INDEX "{name}"')
    for first in range(1, count + 1, STEP):
        last = min(first + STEP - 1, count)
        database.rows(_ROWS.format(days=DAYS, first=first, last=last, total=count))
    for _, definition in indexes:
        database.rows(definition)
    database.rows("VACUUM (ANALYZE, PARALLEL 2)")
