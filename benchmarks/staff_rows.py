"""Rows of a Pave that has been at work for months, made by PostgreSQL itself.

``python -m benchmarks.staff_rows --requests 1000000`` fills the database of DATABASE_URL, which
has Pave's tables and is otherwise empty; FIELD_ENCRYPTION_KEYS must be set. A million requests
with their events, deliveries and three million attempts take some minutes.
"""

import argparse
import os
import sys
import time
from typing import Any

import psycopg2
from cryptography.fernet import Fernet

DAYS = 60
CLIENTS = 50
WEBHOOKS = 200

# An id that begins with a time, as pave.core.ids.new_id makes them.
_FUNCTIONS = """
CREATE OR REPLACE FUNCTION pg_temp.id_at(moment timestamptz) RETURNS uuid
LANGUAGE sql VOLATILE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7'
    || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid
$$;
"""

# What a column holds that is not named below, so that a new one needs no change here.
_DEFAULTS = """
SET CONSTRAINTS ALL IMMEDIATE;
DO $$
DECLARE found record;
BEGIN
  FOR found IN SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name ~ '^(clients|webhooks|merchants|operations)_'
      AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
      AND data_type IN ('boolean', 'integer', 'smallint', 'bigint', 'character varying', 'text')
  LOOP
    EXECUTE format('ALTER TABLE %I ALTER COLUMN %I SET DEFAULT %L',
      found.table_name, found.column_name,
      CASE found.data_type WHEN 'boolean' THEN 'false' WHEN 'integer' THEN '0'
        WHEN 'smallint' THEN '0' WHEN 'bigint' THEN '0' ELSE '' END);
  END LOOP;
END $$;
"""

_SMALL = """
INSERT INTO clients_client (client_id, name, active, notes, created_at)
SELECT 'client-' || n, 'Client ' || n, true, '', now() - interval '90 days'
FROM generate_series(1, {clients}) n;

INSERT INTO webhooks_webhook (id, client_id, url, description, events, headers, max_in_flight,
  enabled, disabled_by, disabled_at, failing_since, "window", steady, breaker_failures, created_at)
SELECT pg_temp.id_at(now() - interval '80 days' + n * interval '1 minute'), client.id,
  'https://hooks.client-' || n || '.example/pave', '', '[]', '{headers}', 4,
  n % 20 <> 0, CASE WHEN n % 20 = 0 THEN 'gone' ELSE '' END,
  CASE WHEN n % 20 = 0 THEN now() - interval '1 day' END,
  CASE WHEN n % 15 = 0 THEN now() - interval '1 hour' END, 4, true, 0, now() - interval '80 days'
FROM generate_series(1, {webhooks}) n
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM clients_client) client
  ON client.place = 1 + n % {clients};

INSERT INTO merchants_ruleset (note, content, published_by, published_at)
VALUES ('For the benchmark', '', 'benchmark', now() - interval '80 days');

INSERT INTO merchants_merchant (id, name, website, wikidata, mccs, countries, category, logo_url,
  active, updated_at)
SELECT pg_temp.id_at(now() - interval '80 days' + n * interval '1 second'), 'Merchant ' || n,
  'https://merchant-' || n || '.example', '', '[]', '[]', '', '', true, now()
FROM generate_series(1, 15000) n;

INSERT INTO merchants_alias (merchant_id, text)
SELECT id, upper(name) || ' ALIAS ' || spelling
FROM merchants_merchant, generate_series(1, 2) spelling;
"""

_RESOLUTIONS = """
INSERT INTO merchants_resolution (id, key, ruleset_id, status, attempts, claimed_by,
  answer, merchant_id, method, confidence, evidence, error, duration_ms, created_at, started_at,
  finished_at)
SELECT pg_temp.id_at(at), 'd:::::SHOP ' || n, ruleset.number,
  CASE WHEN n % 500 = 0 THEN 'failed' ELSE 'resolved' END,
  1, '',
  jsonb_build_object('merchant', jsonb_build_object('id', NULL, 'name', 'Shop ' || n,
      'website', NULL, 'wikidata', NULL, 'mcc', NULL, 'category', NULL),
    'match', jsonb_build_object('method', 'cleaned', 'confidence', 0.7,
      'rule', NULL, 'ruleset', ruleset.number)),
  NULL, 'cleaned', 0.7, '[]', '', 40, at, at, at
FROM (SELECT n, now() - interval '{days} days' + n * interval '{days} days' / {count} AS at
  FROM generate_series(1, {count}) n) rows, merchants_ruleset ruleset;
"""

# A few resolutions answer very many requests, as with real merchants.
_REQUESTS = """
CREATE TEMP TABLE resolution AS SELECT id, row_number() OVER (ORDER BY random()) AS place
  FROM merchants_resolution WHERE status = 'resolved';
CREATE UNIQUE INDEX ON resolution (place);
CREATE TEMP TABLE asker AS SELECT id, row_number() OVER (ORDER BY id) AS place FROM clients_client;
CREATE UNIQUE INDEX ON asker (place);
INSERT INTO merchants_normalizationrequest (id, client_id, status, description, amount, currency,
  date, mcc, country, city, reference, resolution_id, error, created_at, completed_at)
SELECT pg_temp.id_at(at), asker.id, status,
  'SHOP ' || resolution.place || ' STORE ' || n % 997 || ' BERLIN',
  '12.99', 'EUR', at::date, '', 'DE', '', 'ref-' || n,
  CASE WHEN status IN ('completed', 'failed') THEN resolution.id END, '', at,
  CASE WHEN status IN ('completed', 'failed', 'canceled') THEN at + interval '1 second' END
FROM (
  SELECT n, now() - interval '{days} days' + n * interval '{days} days' / {count} AS at,
    CASE WHEN n > {count} - 300 THEN 'queued' WHEN n % 400 = 0 THEN 'failed'
      WHEN n % 5000 = 1 THEN 'canceled' ELSE 'completed' END AS status,
    1 + floor(power({resolutions}::float, random()))::int % {resolutions} AS resolution_place,
    1 + floor({clients} * power(random(), 2))::int AS asker_place
  FROM generate_series(1, {count}) n
) rows
JOIN resolution ON resolution.place = rows.resolution_place
JOIN asker ON asker.place = rows.asker_place;
"""

_DELIVERIES = """
CREATE TEMP TABLE target AS SELECT id, client_id, enabled,
  row_number() OVER (PARTITION BY client_id ORDER BY id) AS place FROM webhooks_webhook;
INSERT INTO webhooks_event (id, client_id, type, subject_id, body, created_at)
SELECT pg_temp.id_at(completed_at), client_id, 'normalization.' || status, id,
  convert_to('{{"type":"normalization.completed","data":{{}}}}', 'UTF8'), completed_at
FROM merchants_normalizationrequest WHERE status IN ('completed', 'failed');
INSERT INTO webhooks_delivery (id, event_id, webhook_id, status, held_by, attempts, step, "trigger",
  next_attempt_at, resume_status, claimed_by, created_at, finished_at)
SELECT pg_temp.id_at(created_at), event_id, webhook_id, status,
  CASE WHEN status = 'held' THEN 'gone' ELSE '' END,
  CASE status WHEN 'held' THEN 0 WHEN 'failed' THEN 10 WHEN 'pending' THEN 2
    ELSE 1 + (n % 5)::int END,
  0, 'automatic', CASE WHEN status = 'pending' THEN now() + interval '1 hour' END, '', '',
  created_at,
  CASE WHEN status IN ('succeeded', 'failed') THEN created_at + interval '1 second' END
FROM (
  SELECT event.id AS event_id, event.created_at, target.id AS webhook_id,
    row_number() OVER () AS n,
    CASE WHEN NOT target.enabled AND event.created_at > now() - interval '1 day' THEN 'held'
      WHEN event.created_at > now() - interval '2 hours' AND random() < 0.2 THEN 'pending'
      WHEN random() < 0.02 THEN 'failed' ELSE 'succeeded' END AS status
  FROM webhooks_event event
  JOIN target ON target.client_id = event.client_id AND target.place = 1
) rows
ON CONFLICT DO NOTHING;
INSERT INTO webhooks_deliveryattempt (delivery_id, number, "trigger", url, started_at, duration_ms,
  resolved_address, status_code, error, detail, request_headers, response_headers, response_head,
  timings)
SELECT delivery.id, number, 'automatic', 'https://hooks.client.example/pave',
  delivery.created_at + number * interval '5 seconds', 40, '203.0.113.9',
  CASE WHEN number = delivery.attempts AND delivery.status = 'succeeded' THEN 200 ELSE 500 END,
  CASE WHEN number = delivery.attempts AND delivery.status = 'succeeded' THEN '' ELSE 'http' END,
  '', jsonb_build_object('webhook-id', delivery.event_id), '{{}}', '', '{{}}'
FROM webhooks_delivery delivery, generate_series(1, delivery.attempts) number
ON CONFLICT DO NOTHING;
"""

# Minutes of the last day and hours of the weeks before, as counters.roll_up leaves them.
_TALLIES = """
INSERT INTO operations_tally (at, name, label, subject, count, total, folded)
SELECT at, name, label, '', 1 + floor(random() * 50), 10, true
FROM (
  SELECT date_trunc('minute', now()) - n * interval '1 minute' AS at FROM generate_series(0, 1559) n
  UNION ALL
  SELECT date_trunc('hour', now()) - n * interval '1 hour' FROM generate_series(27, 24 * {days}) n
) moments, (VALUES ('requests', 'queued'), ('requests', 'completed'), ('requests', 'failed'),
  ('answers', 'rule'), ('answers', 'catalogue'), ('answers', 'fuzzy'), ('answers', 'cleaned'),
  ('memory', 'known'), ('memory', 'waiting'),
  ('wait_seconds', '0.05'), ('wait_seconds', '0.25'), ('wait_seconds', '1'), ('wait_seconds', '10'),
  ('heuristic_seconds', '0.05'), ('heuristic_seconds', '0.25'), ('heuristic_seconds', '1'),
  ('attempts', 'ok'), ('attempts', 'http'), ('deliveries', 'succeeded'), ('deliveries', 'failed'),
  ('attempt_seconds', '0.05'), ('attempt_seconds', '0.25')
) counted (name, label);
INSERT INTO operations_tally (at, name, label, subject, count, total, folded)
SELECT at, name, label, webhook.id::text, 1 + floor(random() * 20), 10, true
FROM (
  SELECT date_trunc('minute', now()) - n * interval '1 minute' AS at
  FROM generate_series(0, 1559, 5) n
  UNION ALL
  SELECT date_trunc('hour', now()) - n * interval '1 hour' FROM generate_series(27, 24 * {days}) n
) moments, webhooks_webhook webhook, (VALUES ('webhook_attempts', 'ok'),
  ('webhook_attempts', 'http'), ('webhook_seconds', '0.05'), ('webhook_seconds', '0.25')
) counted (name, label);
"""


def fill(url: str, *, requests: int, key: str, say: bool = False) -> None:
    """Fill an empty database, and have it counted and cleaned up.

    Args:
        url: A PostgreSQL URL.
        requests: How many of them; the other rows are in proportion.
        key: The first of FIELD_ENCRYPTION_KEYS, for what is encrypted in a row.
        say: Whether to print how long each part takes.
    """
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        fill_with(cursor, requests=requests, key=key, say=say)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    connection.close()


def fill_with(
    cursor: Any, *, requests: int, key: str, webhooks: int = WEBHOOKS, say: bool = False
) -> None:
    """Write the rows in the cursor's transaction."""
    resolutions = max(requests // 30, 10)
    values = {
        "headers": Fernet(key.encode()).encrypt(b"{}").decode(),
        "days": DAYS,
        "clients": CLIENTS,
        "webhooks": webhooks,
        "resolutions": resolutions // 2,
    }
    cursor.execute(_FUNCTIONS)
    cursor.execute(_DEFAULTS)
    for name, sql, count in (
        ("clients, webhooks, merchants", _SMALL, 0),
        ("resolutions", _RESOLUTIONS, resolutions),
        ("requests", _REQUESTS, requests),
        ("events, deliveries, attempts", _DELIVERIES, 0),
        ("tallies", _TALLIES, 0),
    ):
        begun = time.monotonic()
        cursor.execute(sql.format(count=count, **values))
        if say:
            sys.stdout.write(f"{name}: {time.monotonic() - begun:.1f} s\n")


def main() -> None:
    """Fill the database of DATABASE_URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    key = os.environ["FIELD_ENCRYPTION_KEYS"].split(",")[0]
    fill(os.environ["DATABASE_URL"], requests=parser.parse_args().requests, key=key, say=True)


if __name__ == "__main__":
    main()
