"""Responses wait for few slow readers, and for none that does not read."""

import socket
import threading
from contextlib import closing

import pytest
from gunicorn.util import close_graceful

from pave.web_server import response_socket
from pave.web_server.response_socket import ResponseSocket


def test_a_thread_waits_for_nobody_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_socket, "SEND_SECONDS", 0.2)
    accepted, client = socket.socketpair()
    with closing(ResponseSocket(accepted)) as sending, closing(client):
        sending.slots = threading.Semaphore(1)
        with pytest.raises(ConnectionResetError, match="does not read"):
            sending.sendall(bytes(10_000_000))
        assert sending.slots.acquire(blocking=False)
        with pytest.raises(ConnectionResetError, match="too many"):
            sending.sendall(bytes(10_000_000))


def test_what_an_error_breaks_off_is_reset_and_not_ended() -> None:
    """gunicorn's own end of it would seem to be that of the whole to a client of HTTP/1.0."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        sending = ResponseSocket(listener.accept()[0])
    with closing(client):
        sending.sendall(b"a part")
        close_graceful(sending)
        assert sending.broken_off
        assert client.recv(100) == b"a part"
        with pytest.raises(ConnectionResetError):
            client.recv(100)
