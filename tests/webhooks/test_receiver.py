import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from webhooks.http.signing import generate_secret, signed_headers
from webhooks.receiver.application import Receiver

SECRET = generate_secret()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(secrets=[generate_secret(), SECRET]) as running:
        yield running


def send(receiver: Receiver, headers: dict[str, str], path: str = "/", body: bytes = b"{}") -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=10)) as connection:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status


def signed(*, secret: str = SECRET, age: int = 0, body: bytes = b"{}") -> dict[str, str]:
    return signed_headers(
        secrets=[secret], message_id="msg_1", timestamp=int(time.time()) - age, body=body
    )


def test_a_message_is_verified_with_any_of_the_secrets(receiver: Receiver) -> None:
    assert send(receiver, signed()) == 200
    (message,) = receiver.messages
    assert (message.verified, message.reason, message.webhook_id) == (True, "", "msg_1")


def test_a_message_is_not_verified_with_a_reason(receiver: Receiver) -> None:
    send(receiver, signed(secret=generate_secret()))
    send(receiver, signed(age=3600))
    send(receiver, {})
    send(receiver, signed() | {"webhook-signature": "v1"})
    send(receiver, signed(body=b"\xff"), body=b"\xff")
    assert [message.verified for message in receiver.messages] == [False] * 5
    reasons = [message.reason for message in receiver.messages]
    assert "matching" in reasons[0]
    assert "too old" in reasons[1]
    assert "headers" in reasons[2]
    assert all(reasons)


def test_the_same_id_is_a_duplicate_on_the_same_path_only(receiver: Receiver) -> None:
    """One event goes to several webhooks under one id."""
    for path in ("/a", "/b", "/a"):
        send(receiver, signed(), path)
    assert [message.duplicate for message in receiver.messages] == [False, False, True]


def test_without_a_secret_nothing_is_verified() -> None:
    with Receiver() as receiver:
        send(receiver, signed())
    assert receiver.messages[0].verified is None


def test_a_body_without_a_length_is_refused(receiver: Receiver) -> None:
    assert send(receiver, {"transfer-encoding": "chunked"}) == 411
    assert not receiver.messages


def test_a_part_of_a_message_is_none(receiver: Receiver) -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    address = urlsplit(receiver.url("/"))
    for part in (b"", b"{"):
        with socket.create_connection((address.hostname, address.port), timeout=10) as sender:
            sender.sendall(head + part)
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(100) == b""
    assert not receiver.messages


def test_waiting_in_vain_says_how_many_came(receiver: Receiver) -> None:
    send(receiver, signed())
    assert len(receiver.wait_for(1, timeout=5)) == 1
    with pytest.raises(TimeoutError, match="1 of 2"):
        receiver.wait_for(2, timeout=0.01)
