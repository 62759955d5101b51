"""The web server's processes: gunicorn's threaded worker, behind a buffer.

In gunicorn's own, a thread is taken as soon as a connection is there, and the thread that accepts
connections waits up to two seconds for each client that leaves a finished one open: with some
seventy silent sockets, or forty connections that are not closed, nobody else was answered.
"""

import errno
import fcntl
import json
import re
import select
import selectors
import socket
import struct
import termios
import threading
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from pave.gunicorn import STALLED_SECONDS

# Requests with a head and a body up to these sizes are collected before a thread is taken. A larger
# head is refused; larger bodies are batches, of which a client may send one at a time.
HEAD_BYTES = 32 * 1024
BODY_BYTES = 256 * 1024
# Who has more than this of earlier responses to read gets no thread for another: it would wait.
UNREAD_BYTES = 16 * 1024
# How long a thread waits for a slow reader to read some more: a third of the kernel's buffer.
SEND_SECONDS = 60
# How long to wait for the end of what a client still sends after its last response, so that it can
# read this (RFC 9112, section 9.6), and how much of it is read.
LINGER_SECONDS = 2
LINGER_BYTES = 64 * 1024
# For the rest of a body that nobody has read, before the connection may be used again.
_DRAIN_SECONDS = 0.1
_HEAD_END = b"\r\n\r\n"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\ncontent-length:([^\r\n]*)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_MODERN = re.compile(rb"\S+ \S+ HTTP/1\.1\r\n")


class Refused(Exception):
    """A request's head is larger than ``HEAD_BYTES``, or one whose end gunicorn would not see.

    Args:
        response: What is sent.
    """

    def __init__(self, response: bytes) -> None:
        super().__init__(response)
        self.response = response


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return the sizes of a request's head and body; None while its head is incomplete.

    A length that is not valid counts as no body: gunicorn refuses such a request.

    Args:
        data: What has come of the request so far.

    Raises:
        Refused: No thread may have the request.
    """
    start = len(data) - len(data.lstrip(b"\r\n"))
    end = data.find(_HEAD_END, start) + len(_HEAD_END)
    complete = end >= len(_HEAD_END)
    head = end if complete else len(data)
    if head > HEAD_BYTES:
        raise Refused(_TOO_LARGE)
    if _BARE_LINE_FEED.search(data, start, head):
        raise Refused(_MALFORMED)
    if not complete:
        return None
    length = _LENGTH.search(data, start, head)
    value = length[1].strip() if length else b""
    return head, int(value) if value.isdigit() and len(value) < 4_000 else 0


def _problem(status: HTTPStatus, detail: str) -> bytes:
    """Return a response for what no view ever sees."""
    problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    body = json.dumps(problem)
    return (
        f"HTTP/1.1 {status} {status.phrase}\r\nConnection: close\r\nRetry-After: 1\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


_TIMEOUT = _problem(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.")
_TOO_LARGE = _problem(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head may have {HEAD_BYTES:,} bytes."
)
_MALFORMED = _problem(HTTPStatus.BAD_REQUEST, "Lines of the head end with CR and LF.")


class ResponseSocket(socket.socket):
    """A connection whose responses keep few threads waiting.

    What fits into the kernel's buffer is sent at once. For the rest a thread waits, if not too many
    do already; else the connection is reset, as is one whose client reads nearly nothing.

    Args:
        accepted: The accepted connection, which this one replaces.
        slots: One for each thread that may wait.
    """

    def __init__(self, accepted: socket.socket, slots: threading.Semaphore) -> None:
        super().__init__(fileno=accepted.detach())
        self._slots = slots

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of ``data``.

        Raises:
            ConnectionResetError: The client is too slow, or too many are.
        """
        rest = self._send_what_fits(memoryview(data).cast("B"))
        if not rest:
            return
        if not self._slots.acquire(blocking=False):
            raise ConnectionResetError(errno.ECONNRESET, "too many slow readers")
        try:
            writable = select.poll()
            writable.register(self, select.POLLOUT)
            while rest:
                if not writable.poll(1000 * SEND_SECONDS):
                    raise ConnectionResetError(errno.ECONNRESET, "the client does not read")
                rest = self._send_what_fits(rest)
        finally:
            self._slots.release()

    def _send_what_fits(self, data: memoryview) -> memoryview:
        with suppress(BlockingIOError):
            while data:
                data = data[self.send(data, socket.MSG_DONTWAIT) :]
        return data


class BufferingWorker(ThreadWorker):
    """Gives threads only requests that have arrived, and waits for no client in its main loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unread: list[Any] = []
        self._slow_readers = threading.Semaphore(max(1, self.cfg.threads // 4))

    def accept(self, listener: Any) -> None:
        """Accept a connection, for which one that has sent nothing goes if there are too many."""
        if self.nr_conns >= self.worker_connections - 1:
            silent = (conn for conn in self.pending_conns if not _part_of(conn))
            if (oldest := next(silent, None)) is not None:
                self._unpoll(oldest)
                self._close(oldest)
        super().accept(listener)

    def enqueue_req(self, conn: Any) -> None:
        """Give a connection to a thread, now or as soon as its next request is there."""
        if self.cfg.is_ssl:  # with gunicorn's own certfile: what comes is encrypted
            super().enqueue_req(conn)
            return
        if conn.parser is None:
            conn.sock = ResponseSocket(conn.sock, self._slow_readers)
            conn.collected = b""
        else:  # what was read beyond the request before
            conn.collected = conn.parser.unreader.take_buffered()
        conn.size = None
        conn.deadline = time.monotonic() + STALLED_SECONDS
        self._collect(conn)

    def finish_request(self, conn: Any, future: Any) -> None:
        """Take a connection back from its thread; one that ends is not waited for."""
        if future.cancelled() or future.exception() or future.result():
            super().finish_request(conn, future)
        else:
            self._end(conn)

    def murder_pending(self) -> None:
        """Close connections that have waited for too long; called at least once a second."""
        now = time.monotonic()
        for conn in [conn for conn in self.pending_conns if conn.timeout <= now]:
            self._unpoll(conn)
            if _part_of(conn):
                self._refuse(conn, _TIMEOUT)
            else:
                self._close(conn)
        unread, self._unread = self._unread, []
        for conn in unread:
            if now < conn.deadline:
                self._hand_over(conn)
            else:
                self._close(conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        deadline = time.monotonic() + _DRAIN_SECONDS
        return keepalive and bool(conn.parser.finish_body(deadline=deadline))

    def _cap_keepalive(self, deadline: float) -> None:
        # Called when the process stops: who connects from here on is refused at once, and not
        # reset when it ends. Those who wait to be accepted are served.
        for listener in self.sockets:
            accepted = -1
            while accepted != self.nr_conns:
                accepted = self.nr_conns
                self.accept(listener)
            listener.close()
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
        for conn in self._unread:
            conn.deadline = min(conn.deadline, deadline)

    def _collect(self, conn: Any) -> None:
        conn.sock.setblocking(False)
        try:
            while not self._has_arrived(conn):
                received = conn.sock.recv(HEAD_BYTES + BODY_BYTES)
                if not received:  # nothing more comes, so a thread need not wait either
                    break
                conn.collected += received
        except BlockingIOError:
            self._poll(conn, conn.deadline, self._collect)
        except Refused as refused:
            self._refuse(conn, refused.response)
        except OSError:
            self._close(conn)
        else:
            self._hand_over(conn)

    def _has_arrived(self, conn: Any) -> bool:
        """Return whether a request is complete, or so large that it is not collected."""
        if conn.size is None:
            conn.size = size_of(conn.collected)
            if conn.size is None:
                return False
            head, body = conn.size
            if body <= BODY_BYTES and _MODERN.match(conn.collected):
                # Answered here, so gunicorn must not answer it again.
                shorter = _EXPECT.sub(b"", conn.collected[:head])
                if len(shorter) < head and len(conn.collected) < head + body:
                    conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                conn.collected = shorter + conn.collected[head:]
                conn.size = len(shorter), body
        head, body = conn.size
        return body > BODY_BYTES or len(conn.collected) >= head + body

    def _hand_over(self, conn: Any) -> None:
        if _unread_bytes(conn.sock) > UNREAD_BYTES:
            self._unread.append(conn)
            return
        conn.data_ready = True
        conn.init()
        conn.parser.unreader.unread(conn.collected)
        conn.collected = b""
        super().enqueue_req(conn)

    def _refuse(self, conn: Any, response: bytes) -> None:
        conn.collected = b""
        with suppress(OSError):
            conn.sock.send(response)
        self._end(conn)

    def _end(self, conn: Any) -> None:
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            conn.lingered = 0
            self._poll(conn, time.monotonic() + LINGER_SECONDS, self._linger)

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


def _part_of(conn: Any) -> bytes:
    """Return what has come of a request that is not complete."""
    return getattr(conn, "collected", b"")  # with TLS gunicorn itself waits


def _unread_bytes(sock: socket.socket) -> int:
    """Return how much of what was sent has not arrived yet (tcp(7), SIOCOUTQ)."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0])
    except OSError:
        return 0
