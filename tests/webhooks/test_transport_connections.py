"""Connections: kept, replaced, refused, shared, given back."""

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from urllib3 import HTTPConnectionPool

from tests.webhooks.posting import OK, post
from webhooks.http.transport import ErrorClass, Transport
from webhooks.receiver.application import Receiver, Reply, always, in_turn


def test_a_connection_is_kept_and_the_evidence_says_so(
    transport: Transport, endpoint: Receiver
) -> None:
    first, second = post(transport, endpoint.url()), post(transport, endpoint.url())
    assert set(first.timings) == {"dns", "connect", "first_byte"}
    assert set(second.timings) == {"first_byte"}
    assert first.resolved_address == second.resolved_address == "127.0.0.1"
    assert first.started_at.tzinfo is not None


def test_a_kept_connection_that_died_is_replaced_without_a_failure(
    transport: Transport, endpoint: Receiver
) -> None:
    endpoint.behaviour = in_turn(Reply(), Reply(reset=True), Reply())
    assert post(transport, endpoint.url()).ok
    assert post(transport, endpoint.url()).ok
    assert len(endpoint.messages) == 3


def test_a_new_connection_that_dies_is_not_tried_again(
    transport: Transport, endpoint: Receiver
) -> None:
    endpoint.behaviour = in_turn(Reply(reset=True), Reply())
    assert post(transport, endpoint.url()).error == ErrorClass.RESET


@pytest.mark.parametrize("limit", ["MAX_AGE", "MAX_IDLE"])
def test_an_old_connection_is_not_used(
    transport: Transport, endpoint: Receiver, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"webhooks.http.connections.{limit}", -1)
    post(transport, endpoint.url())
    assert "connect" in post(transport, endpoint.url()).timings


def test_a_refused_connection(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = post(transport, f"http://127.0.0.1:{port}/")
    assert (outcome.ok, outcome.error) == (False, ErrorClass.REFUSED)
    assert outcome.resolved_address == "127.0.0.1"


def test_many_threads_share_one_transport(transport: Transport, endpoint: Receiver) -> None:
    bodies = [b"%d" % number for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda body: post(transport, endpoint.url(), body), bodies))
    assert all(outcome.ok for outcome in outcomes)
    assert sorted(message.body for message in endpoint.messages) == sorted(bodies)


def test_ipv6(transport: Transport) -> None:
    with Receiver(host="::1") as endpoint:
        outcome = post(transport, endpoint.url())
    assert outcome.ok
    assert outcome.resolved_address == "::1"
    assert endpoint.messages[0].headers["host"] == f"[::1]:{endpoint.port}"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=204),
        Reply(body=b"x" * 100),
        Reply(raw=[OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]),
    ],
)
def test_a_connection_is_given_back_with_its_answer_ended(
    endpoint: Receiver, transport: Transport, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    """Else the next thread that takes it finds an answer that is not over."""
    ended = []
    put_back = HTTPConnectionPool._put_conn

    def watched(pool: HTTPConnectionPool, conn: Any) -> None:
        answer = conn._HTTPConnection__response
        ended.append(answer is None or answer.isclosed())
        put_back(pool, conn)

    monkeypatch.setattr(HTTPConnectionPool, "_put_conn", watched)
    endpoint.behaviour = always(reply)
    assert post(transport, endpoint.url()).ok
    assert ended == [True]
