"""The web server's processes: gunicorn's threaded worker, behind a buffer.

In gunicorn's own, a thread is taken as soon as a connection is there, and the thread that accepts
connections waits up to two seconds for each client that leaves a finished one open: with some
seventy silent sockets, or forty connections that are not closed, nobody else was answered.
"""

import re
import selectors
import socket
import time
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from pave.gunicorn import STALLED_SECONDS

# Requests with a head and a body up to these sizes are collected before a thread is taken: all but
# batches, of which a client may send one at a time.
HEAD_BYTES = 32 * 1024
BODY_BYTES = 256 * 1024
# How long to wait for the end of what a client still sends after its last response, so that it can
# read this (RFC 9112, section 9.6), and how much of it is read.
LINGER_SECONDS = 2
LINGER_BYTES = 64 * 1024
# For the rest of a body that nobody has read, before the connection may be used again.
_DRAIN_SECONDS = 0.1
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r?\n", re.IGNORECASE)
_EXPECT = re.compile(rb"\nexpect:", re.IGNORECASE)
_PROBLEM = (
    b'{"type": "about:blank", "title": "Request Timeout", "status": 408, '
    b'"detail": "The request did not arrive in time."}'
)
_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: %d\r\n"
    b"Content-Type: application/problem+json\r\n\r\n%b" % (len(_PROBLEM), _PROBLEM)
)


def bytes_to_collect(data: bytes) -> int | None:
    """Return how many bytes of a request a thread needs, so that it need not wait for more.

    Args:
        data: What has come of the request so far.

    Returns:
        Its size; 0 if it is too large to be collected or has no valid length; None if not yet
        known.
    """
    start = len(data) - len(data.lstrip(b"\r\n"))
    end = _HEAD_END.search(data, start)
    if end is None:
        return None if len(data) < HEAD_BYTES else 0
    length = _LENGTH.search(data, start, end.end())
    if length is None or int(length[1]) > BODY_BYTES:
        return 0
    return end.end() + int(length[1])


class BufferingWorker(ThreadWorker):
    """Gives threads only requests that have arrived, and waits for no client in its main loop."""

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread, now or as soon as its next request is there."""
        if self.cfg.is_ssl:  # with gunicorn's own certfile: what comes is encrypted
            super().enqueue_req(conn)
            return
        # What was read beyond the request before.
        conn.collected = conn.parser.unreader.take_buffered() if conn.parser is not None else b""
        conn.to_collect = None
        self._collect(conn, time.monotonic() + STALLED_SECONDS)

    def finish_request(self, conn: Any, future: Any) -> None:
        """Take a connection back from its thread; one that ends is not waited for."""
        if future.cancelled() or future.exception() or future.result():
            super().finish_request(conn, future)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            conn.lingered = 0
            self._poll(conn, time.monotonic() + LINGER_SECONDS, self._linger)

    def murder_pending(self) -> None:
        """Close connections that have waited for too long."""
        now = time.monotonic()
        for conn in [conn for conn in self.pending_conns if conn.timeout <= now]:
            self._unpoll(conn)
            if getattr(conn, "collected", b""):  # a part of a request
                with suppress(OSError):
                    conn.sock.send(_TIMEOUT)
            self._close(conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        deadline = time.monotonic() + _DRAIN_SECONDS
        return keepalive and bool(conn.parser.finish_body(deadline=deadline))

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _collect(self, conn: Any, deadline: float) -> None:
        conn.sock.setblocking(False)
        try:
            while not self._has_arrived(conn):
                received = conn.sock.recv(HEAD_BYTES + BODY_BYTES)
                if not received:  # nothing more comes, so a thread need not wait either
                    break
                conn.collected += received
        except BlockingIOError:
            self._poll(conn, deadline, lambda conn: self._collect(conn, deadline))
        except OSError:
            self._close(conn)
        else:
            conn.data_ready = True
            conn.init()
            conn.parser.unreader.unread(conn.collected)
            del conn.collected
            super().enqueue_req(conn)

    def _has_arrived(self, conn: Any) -> bool:
        if conn.to_collect is None:
            conn.to_collect = bytes_to_collect(conn.collected)
            if (conn.to_collect or 0) > len(conn.collected) and _EXPECT.search(conn.collected):
                conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return conn.to_collect is not None and len(conn.collected) >= conn.to_collect

    def _linger(self, conn: Any) -> None:
        with suppress(OSError):
            received = len(conn.sock.recv(LINGER_BYTES))
            conn.lingered += received
            if received and conn.lingered < LINGER_BYTES:
                self._poll(conn, conn.timeout, self._linger)
                return
        self._close(conn)

    def _poll(self, conn: Any, deadline: float, then: Any) -> None:
        """Call ``then`` with the connection when it can be read; close it after the deadline."""
        conn.sock.setblocking(False)
        conn.timeout = deadline
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._readable, conn, then))

    def _readable(self, conn: Any, then: Any, _: Any) -> None:
        self._unpoll(conn)
        then(conn)

    def _unpoll(self, conn: Any) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)

    def _close(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()
