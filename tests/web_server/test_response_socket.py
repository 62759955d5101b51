"""Responses wait for few slow readers, and for none that does not read."""

import socket
import threading
from contextlib import closing

import pytest

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
