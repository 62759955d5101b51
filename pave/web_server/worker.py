"""The web server's processes: gunicorn's threaded worker, behind a buffer.

In gunicorn's own, a thread is taken as soon as a connection is there, and the thread that accepts
connections waits up to two seconds for each client that leaves a finished one open: with some
seventy silent sockets, or forty connections that are not closed, nobody else was answered.
"""

import fcntl
import re
import select
import selectors
import socket
import ssl
import struct
import termios
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from pave.gunicorn import STALLED_SECONDS
from pave.web_server.eviction import surplus
from pave.web_server.framing import CROWDED, TIMEOUT, Refused, problem_response, size_of
from pave.web_server.held_bodies import HeldBodies
from pave.web_server.response_socket import SEND_SECONDS, ResponseSocket, reset_on_close
from pave.web_server.turns import STRANGERS, Turns, address_of

# Requests with a body up to this size are collected before a thread is taken; larger bodies are
# batches, of which a client may send one at a time.
BODY_BYTES = 256 * 1024
# So much may be held of those over ``SMALL_BYTES``; a thousand of the others are no more.
SMALL_BYTES = 16 * 1024
HELD_BYTES = 32 * 1024 * 1024
# Who has more than this of earlier responses to read gets no thread for another: it would wait.
UNREAD_BYTES = 16 * 1024
# So much of responses may all connections have to read, beside those for which a thread waits.
ALL_UNREAD_BYTES = 64 * 1024 * 1024
# How long to wait for the end of what a client still sends after its last response, so that it can
# read this (RFC 9112, section 9.6), and how much of it is read: the rest of an upload.
LINGER_SECONDS = 2
LINGER_BYTES = 33 * 1024 * 1024
_RECEIVED_BYTES = 64 * 1024
_ACCEPTED_AT_ONCE = 50
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_MODERN = re.compile(rb"\S+ \S+ HTTP/1\.1\r\n")
# What gunicorn's parser finds; anything else is a 400.
_STATUSES = {
    errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class BufferingWorker(ThreadWorker):
    """Gives threads only requests that have arrived, and waits for no client in its main loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Where gunicorn's own keeps fewer, those who have most of them give way.
        self.max_keepalived = self.worker_connections
        # Connections that no thread has, with what their deadline calls.
        self._waiting: dict[Any, Callable[[Any], None]] = {}
        self._next_check = 0.0
        self._turns = Turns(self.cfg.threads)
        self._bodies = HeldBodies(HELD_BYTES)
        self._slow_readers = threading.Semaphore(max(1, self.cfg.threads // 4))
        # Of files that anybody may have, of which the largest do not fit into the kernel's buffer.
        self._slow_strangers = threading.Semaphore(2)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Handle what can be read, but for connections that were closed for another meanwhile."""
        for key, _ in self.poller.select(timeout):
            if self.poller.get_map().get(key.fd) is key:
                key.data(key.fileobj)

    def accept(self, listener: Any) -> None:
        """Accept connections; if there are too many, instead of others."""
        for _ in range(_ACCEPTED_AT_ONCE):
            before = self.nr_conns
            super().accept(listener)
            if self.nr_conns == before:
                return
            if self.nr_conns >= self.worker_connections - 1:
                self._make_room()

    def _make_room(self) -> None:
        """End connections; with too many, gunicorn would accept nobody until one ends by itself."""
        for conn in self.keepalived_conns:
            conn.since = conn.timeout - self.cfg.keepalive
        idle = {*self.keepalived_conns, *self._waiting}
        for conn in surplus(idle, self._turns.queued()):
            if conn in idle:
                self._drop(conn)
            else:
                self._turns.leave(conn)
                self._dismiss(conn)

    def _bound_unread(self) -> None:
        """Reset connections of who has most whose responses lie in the kernel's memory."""
        unread = {
            conn: size
            for conn in (*self.keepalived_conns, *self._waiting)
            if (size := _unread_bytes(conn.sock))
        }
        excess = sum(unread.values()) - ALL_UNREAD_BYTES
        while excess > 0:
            for conn in surplus(unread, ()):
                excess -= unread.pop(conn)
                self._drop(conn)

    def _drop(self, conn: Any) -> None:
        """Reset a connection that waits for its client."""
        if conn not in self._waiting:
            self.keepalived_conns.remove(conn)
        self._reset(conn)

    def enqueue_req(self, conn: Any) -> None:
        """Let a connection have its turn for a thread as soon as its next request is there."""
        conn.since = time.monotonic()
        if not hasattr(conn, "holder"):
            conn.holder = STRANGERS, address_of(conn.client, b"")
        if self.cfg.is_ssl:  # with gunicorn's own certfile: what comes is encrypted
            super().enqueue_req(conn)
            return
        if conn.parser is None:
            conn.sock = ResponseSocket(conn.sock)
            conn.sock.slots = self._slow_readers
            conn.sock.identify_caller = partial(self._identify_caller, conn)
            conn.collected = bytearray()
        else:  # what was read beyond the request before
            conn.collected = bytearray(conn.parser.unreader.take_buffered())
        conn.size = None
        conn.seen = 0
        conn.sock.setblocking(False)
        try:
            arrived = self._has_arrived(conn) or self._receive(conn)
        except Refused as refused:
            self._refuse(conn, refused.response)
        except OSError:
            self._close(conn)
        else:
            if arrived:
                self._hand_over(conn)
            else:
                self._wait(conn, STALLED_SECONDS, self._time_out, self._collect)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request; one that was not collected ends its connection, as the response says.

        It may be refused unread, and nobody can tell when the rest of it comes. (Of what comes by
        gunicorn's own TLS nothing is collected; there it is read for a while.)
        """
        collected = not self.cfg.is_ssl and conn.size is not None
        if collected and conn.size[1] != _declared_length(req):
            # Its thread would wait for the rest of the body.
            raise errors.InvalidHeader("CONTENT-LENGTH", req=req)
        large = collected and conn.size[1] > BODY_BYTES
        if not self.cfg.is_ssl:
            is_file = unquote(req.path).startswith(settings.STATIC_URL)
            conn.sock.slots = self._slow_strangers if is_file else self._slow_readers
        if large or any(name == "TRANSFER-ENCODING" for name, _ in req.headers):
            req.force_close()
        try:
            return super().handle_request(req, conn)
        except OSError:
            if not self.cfg.is_ssl:
                conn.sock.broken_off = True
            raise

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """Return whether another request may follow on the connection.

        gunicorn's own ends it where more than 64 KiB of the body are left unread. What was
        collected is in memory, and its response has said that the connection is kept.
        """
        if self.cfg.is_ssl or not keepalive:
            return super()._keepalive_after(conn, keepalive)
        deadline = time.monotonic() + LINGER_SECONDS
        return bool(conn.parser.finish_body(deadline, max_bytes=2 * BODY_BYTES))

    def finish_request(self, conn: Any, future: Any) -> None:
        """Take a connection back from its thread; one that ends is not waited for."""
        if not self.cfg.is_ssl:
            self._turns.end(conn)
        if future.cancelled() or (not future.exception() and future.result()):
            super().finish_request(conn, future)
        elif not self.cfg.is_ssl and conn.sock.broken_off:
            self._reset(conn)
        else:
            self._end(conn)
        self._start()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what cannot be parsed, or fails; neither log nor answer repeats any of it."""
        name, ip = type(exc).__name__, addr[0] if addr else ""
        ours = errors.InvalidResponseHeader | errors.InvalidResponseHeaderName
        if isinstance(exc, errors.ParseException | ssl.SSLError) and not isinstance(exc, ours):
            self.log.warning("Invalid request from ip=%s: %s", ip, name)
            status = _STATUSES.get(type(exc), HTTPStatus.BAD_REQUEST)
        else:  # the message of an error may repeat what it is about
            frames = "".join(traceback.format_tb(exc.__traceback__))
            self.log.error("Error handling a request from ip=%s: %s\n%s", ip, name, frames)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        with suppress(OSError):
            client.sendall(problem_response(status))

    def murder_keepalived(self, force: bool = False) -> None:
        """End kept connections that have been idle for too long."""
        kept = self.keepalived_conns
        while kept and (force or kept[0].timeout <= time.monotonic()):
            conn = kept.popleft()
            with suppress(KeyError, ValueError):  # as gunicorn's own: it may be gone already
                self.poller.unregister(conn.sock)
            self._finish(conn)

    def murder_pending(self) -> None:
        """End connections that have waited for too long; called at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + 1
        self._bound_unread()
        for conn, at_deadline in list(self._waiting.items()):
            if now >= conn.deadline:
                at_deadline(conn)
            elif at_deadline == self._end and not _is_behind(conn):
                del self._waiting[conn]
                self._hand_over(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        # Called when the process stops: who connects from here on is refused at once, and not
        # reset when it ends. Those who wait to be accepted are served.
        for listener in self.sockets:
            connected = select.poll()
            connected.register(listener, select.POLLIN)
            for _ in range(self.cfg.backlog):
                if not connected.poll(0):
                    break
                self.accept(listener)
            listener.close()
        super()._cap_keepalive(deadline)
        for conn in self._waiting:
            conn.deadline = min(conn.deadline, deadline)

    def _collect(self, conn: Any) -> None:
        try:
            if self._receive(conn):
                self._unpoll(conn)
                self._hand_over(conn)
        except Refused as refused:
            self._unpoll(conn)
            self._refuse(conn, refused.response)
        except OSError:
            self._close(conn)

    def _receive(self, conn: Any) -> bool:
        """Read what has come of a request; return whether a thread can have it."""
        # Little of what comes after its end.
        missing = sum(conn.size) - len(conn.collected) if conn.size else SMALL_BYTES
        try:
            received = conn.sock.recv(min(missing, _RECEIVED_BYTES))
        except BlockingIOError:
            return False
        conn.collected += received
        # If nothing more comes, a thread need not wait either.
        arrived = self._has_arrived(conn) or not received
        if conn.size and SMALL_BYTES < conn.size[1] <= BODY_BYTES:
            self._hold(conn)
        return arrived

    def _has_arrived(self, conn: Any) -> bool:
        """Return whether a request is complete, or so large that it is not collected."""
        if conn.size is None:
            if not conn.seen:  # empty lines before a request (RFC 9112, section 2.2)
                conn.collected = conn.collected.lstrip(b"\r\n")
            conn.size = size_of(conn.collected, conn.seen)
            conn.seen = len(conn.collected)
            if conn.size is None:
                return False
            head, body = conn.size
            self._turns.recognize(conn, bytes(conn.collected[:head]))
            if body <= BODY_BYTES and _MODERN.match(conn.collected):
                # Answered here, so gunicorn must not answer it again.
                shorter = _EXPECT.sub(b"", conn.collected[:head])
                if len(shorter) < head and len(conn.collected) < head + body:
                    conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                conn.collected[:head] = shorter
                conn.size = len(shorter), body
        head, body = conn.size
        return body > BODY_BYTES or len(conn.collected) >= head + body

    def _hold(self, conn: Any) -> None:
        self._bodies.hold(conn, conn.holder, len(conn.collected))
        while excess := self._bodies.excess():
            if excess is conn:
                raise Refused(CROWDED)
            if excess in self._waiting:
                self._unpoll(excess)
            else:
                self._turns.leave(excess)
            self._refuse(excess, CROWDED)

    def _let_go(self, conn: Any) -> None:
        """Forget what was collected of a connection's request."""
        conn.collected = b""
        self._bodies.let_go(conn)

    def _hand_over(self, conn: Any) -> None:
        if _is_behind(conn):  # until it has read what it has, or its deadline
            self._wait(conn, STALLED_SECONDS, self._end)
            return
        if conn.size is None:  # nothing more comes
            self._turns.recognize(conn, bytes(conn.collected))
        self._turns.join(conn)
        self._start()

    def _start(self) -> None:
        """Give free threads to those whose turn it is."""
        while conn := self._turns.take():
            conn.data_ready = True
            conn.init()
            conn.parser.unreader.unread(bytes(conn.collected))
            self._let_go(conn)
            super().enqueue_req(conn)

    def _identify_caller(self, conn: Any, caller: str) -> None:
        if caller != conn.holder[0]:
            self.method_queue.defer(self._identify, conn, caller)

    def _identify(self, conn: Any, caller: str) -> None:
        self._turns.identify(conn, caller)
        self._start()

    def _time_out(self, conn: Any) -> None:
        self._unpoll(conn)
        if conn.collected:
            self._refuse(conn, TIMEOUT)
        else:
            self._finish(conn)

    def _refuse(self, conn: Any, response: bytes) -> None:
        with suppress(OSError):
            conn.sock.send(response)
        self._end(conn)

    def _dismiss(self, conn: Any) -> None:
        """Refuse a request and close its connection at once."""
        if _unread_bytes(conn.sock):
            self._reset(conn)
        else:
            with suppress(OSError):
                conn.sock.send(CROWDED)
            self._close(conn)

    def _finish(self, conn: Any) -> None:
        """Close a connection as soon as its client has read what was sent.

        Of one that is closed earlier the kernel keeps this for minutes, and nobody counts it.
        """
        if self.alive and _unread_bytes(conn.sock):
            self._end(conn)
        else:
            self._close(conn)

    def _end(self, conn: Any) -> None:
        """Close a connection when its client has read the last response, and closes, too."""
        self._let_go(conn)
        try:
            socket.socket.shutdown(conn.sock, socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            conn.lingered = 0
            conn.ended = time.monotonic()
            conn.sock.setblocking(False)
            self._wait(conn, LINGER_SECONDS, self._forget, self._linger)

    def _linger(self, conn: Any) -> None:
        try:
            received = len(conn.sock.recv(_RECEIVED_BYTES))
        except BlockingIOError:
            return
        except OSError:
            self._close(conn)
            return
        conn.lingered += received
        if conn.lingered >= LINGER_BYTES:
            self._reset(conn)
        elif not received:
            self._unpoll(conn)
            self._wait(conn, LINGER_SECONDS, self._forget)
            self._forget(conn)

    def _forget(self, conn: Any) -> None:
        """Close a connection whose client does not, or has not read the response for long."""
        now = time.monotonic()
        if not self.alive or not _unread_bytes(conn.sock):
            self._close(conn)
        elif now < conn.ended + SEND_SECONDS:
            conn.deadline = now + 1
        else:
            self._reset(conn)

    def _reset(self, conn: Any) -> None:
        reset_on_close(conn.sock)
        self._close(conn)

    def _wait(
        self,
        conn: Any,
        seconds: float,
        at_deadline: Callable[[Any], None],
        when_readable: Callable[[Any], None] | None = None,
    ) -> None:
        conn.since = time.monotonic()
        conn.deadline = conn.since + seconds
        self._waiting[conn] = at_deadline
        if when_readable:
            self.poller.register(conn.sock, selectors.EVENT_READ, lambda _: when_readable(conn))

    def _unpoll(self, conn: Any) -> None:
        del self._waiting[conn]
        with suppress(KeyError):  # of who has yet to read, nothing is read
            self.poller.unregister(conn.sock)

    def _close(self, conn: Any) -> None:
        self._waiting.pop(conn, None)
        if not self.cfg.is_ssl:
            self._let_go(conn)
        with suppress(KeyError, ValueError):  # ValueError: a response that broke off closed it
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


def _declared_length(req: Any) -> int:
    """Return the length of a request's body by its header, as gunicorn reads it."""
    return next((int(value) for name, value in req.headers if name == "CONTENT-LENGTH"), 0)


def _is_behind(conn: Any) -> bool:
    """Return whether a client has yet to read much of earlier responses."""
    return _unread_bytes(conn.sock) > UNREAD_BYTES


def _unread_bytes(sock: socket.socket) -> int:
    """Return how much of what was sent has not arrived yet (tcp(7), SIOCOUTQ)."""
    try:
        return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0])
    except OSError:
        return 0
