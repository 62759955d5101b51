"""Recoveries that somebody asks for in a loop."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.system.stack import Stack
from webhooks.receiver.application import Message, Receiver, Reply

ROWS = 600
CALLS = 200


def test_who_asks_for_recoveries_in_a_loop_keeps_nobody_waiting(
    stack: Stack, endpoint: Receiver
) -> None:
    """1,500 calls stopped admission for 68 s."""
    loops, other = (stack.create_client(name, endpoint.url(f"/{name}")) for name in ("a", "b"))
    stack.database.rows("UPDATE clients_client SET requests_per_minute = 100000")
    served = threading.Event()

    def answer(message: Message) -> Reply:
        if message.path == "/a":
            served.wait(5)  # so that the first recovery lasts
        return Reply()

    endpoint.behaviour = answer
    webhook = f"/v1/webhooks/{loops['webhook']['id']}"
    assert call(stack, loops, "PATCH", webhook, {"enabled": False}).status_code == 200
    rows = [{"description": f"NETFLIX.COM {number}"} for number in range(ROWS)]
    batch = {"transactions": rows, "deliver": "each"}
    assert call(stack, loops, "POST", "/v1/batches", batch).status_code == 202
    stack.start_cluster()
    held = "SELECT count(*) FROM webhooks_delivery WHERE status = 'held'"
    stack.wait_for(lambda: stack.database.rows(held)[0][0] == ROWS + 1, 60)

    with ThreadPoolExecutor(3) as pool:  # of more at once the others are 429
        since = {"since": "2026-01-01T00:00:00Z"}
        calls = [
            pool.submit(call, stack, loops, "POST", f"{webhook}/recover", since)
            for _ in range(CALLS)
        ]
        asked = [stack.post(other["api_key"], f"SHOP {number}") for number in range(5)]
        stack.wait_for(lambda: {*told(endpoint, "/b")} == {*asked}, 60)
        served.set()
        statuses = Counter(each.result().status_code for each in calls)

    # While one runs it is the only one; afterwards there is nothing left to do.
    assert statuses.keys() <= {202, 409}
    running = "SELECT max(queued), count(*) FROM webhooks_recovery WHERE total > 0"
    stack.wait_for(lambda: len(told(endpoint, "/a")) == ROWS, 60)
    assert stack.database.rows(running) == [(ROWS + 1, 1)]
    assert sorted(Counter(told(endpoint, "/a")).values()) == [1] * ROWS


def told(endpoint: Receiver, path: str) -> list[str]:
    """Return the requests that a client's endpoint was told of."""
    bodies = [message.json for message in [*endpoint.messages] if message.path == path]
    return [body["request_id"] for body in bodies if body["type"] == "normalization.completed"]


def call(
    stack: Stack, client: dict[str, Any], method: str, path: str, body: dict[str, Any]
) -> requests.Response:
    return requests.request(
        method,
        f"{stack.web_url}{path}",
        json=body,
        headers={"Authorization": f"Api-Key {client['api_key']}", "Connection": "close"},
        timeout=30,
    )
