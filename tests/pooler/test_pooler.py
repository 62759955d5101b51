"""Everything works through a pooler that hands out connections by the transaction."""

import json
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.pooler.conftest import CONNECTIONS
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
