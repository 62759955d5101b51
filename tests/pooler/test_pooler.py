"""Everything works through a pooler."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import psycopg2
import requests

from tests.pooler.conftest import CONNECTIONS, LIFETIME_SECONDS
from tests.system.stack import Stack
from webhooks.receiver.application import Receiver


def test_requests_of_many_threads_are_answered_over_few_connections(pooled: Stack) -> None:
    with Receiver() as endpoint:
        made = pooled.create_client("1234", endpoint.url())
        pooled.start_cluster()
        with ThreadPoolExecutor(24) as pool:
            asked = list(
                pool.map(lambda number: pooled.post(made["api_key"], f"SHOP {number}"), range(100))
            )

        endpoint.wait_for(100, 60)

        told = {message.json["request_id"] for message in endpoint.messages}
    assert told == set(asked)
    [[used]] = pooled.database.rows(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )
    assert used <= CONNECTIONS


def test_connections_that_are_opened_later_have_the_limits_too(pooled: Stack) -> None:
    pooled.start_cluster()
    url = pooled.environ["DATABASE_URL"].partition("?")[0]
    time.sleep(2 * LIFETIME_SECONDS)
    with ExitStack() as transactions:
        for _ in range(CONNECTIONS):
            connection = transactions.enter_context(closing(psycopg2.connect(url)))
            cursor = connection.cursor()
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            assert cursor.fetchone() == ("30s",)


def test_in_session_mode_a_transaction_gives_a_webhook(pooled_by_session: Stack) -> None:
    with Receiver() as endpoint:
        made = pooled_by_session.create_client("1234", endpoint.url())
        pooled_by_session.start_cluster()
        request_id = pooled_by_session.post(made["api_key"], "SHOP")
        endpoint.wait_for(1, 60)
    assert endpoint.messages[0].json["request_id"] == request_id


def test_a_batch_goes_through(pooled: Stack) -> None:
    key = json.loads(pooled.manage("create_client", "1234", "--json"))["api_key"]
    pooled.start_cluster()
    lines = "\n".join(json.dumps({"description": f"SHOP {number}"}) for number in range(3000))
    answer = requests.post(
        f"{pooled.web_url}/v1/batches",
        data=lines.encode(),
        headers={"Authorization": f"Api-Key {key}", "Content-Type": "application/x-ndjson"},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    sql = "SELECT status, completed FROM merchants_batch"
    pooled.wait_for(lambda: pooled.database.rows(sql) == [("completed", 3000)], 60)


def test_what_reads_many_rows_does_so_without_a_cursor_of_the_server(pooled: Stack) -> None:
    with Receiver() as endpoint:
        made = pooled.create_client("1234", endpoint.url())
        pooled.start_cluster()
        pooled.post(made["api_key"], "NETFLIX.COM")
        endpoint.wait_for(1, 60)
    assert "Encrypted 1 signing" in pooled.manage("rotate_encryption")
