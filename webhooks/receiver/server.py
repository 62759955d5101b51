"""An HTTP/1.1 server on loopback, which can also give any kind of bad response."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

MAX_BODY = 16 * 1024 * 1024

# Lingering for no time at all is what makes the kernel end a connection with a reset.
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request is answered.

    Attributes:
        delay: seconds before anything is sent.
        hang: send nothing, until the receiver stops.
        reset: end the connection with a TCP reset in place of an answer.
        raw: bytes to send in place of a proper answer, piece by piece; may be endless.
        pause: seconds between the pieces of `raw`.
        keep_open: whether the connection goes on after `raw`; else it ends.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0
    hang: bool = False
    reset: bool = False
    raw: Iterable[bytes] | None = None
    pause: float = 0
    keep_open: bool = False


Handle = Callable[[str, dict[str, str], bytes], Reply]


class LoopbackServer(ThreadingHTTPServer):
    """Passes each POST to `handle` and sends its reply.

    Args:
        host: a loopback address, IPv4 or IPv6.
        port: 0 for any free one.
        handle: called with path, headers (names in lower case) and body, in the thread of the
            connection.
        stopping: set when the server is to end; cuts every wait short.
        tls: speak TLS with this context.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(
        self,
        host: str,
        port: int,
        *,
        handle: Handle,
        stopping: threading.Event,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.handle = handle
        self.stopping = stopping
        self._open: set[socket.socket] = set()
        super().__init__((host, port), _Handler)
        if tls is not None:
            # The handshake is left to the thread of the connection, at its first read.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def server_bind(self) -> None:
        # Without the parent's look-up of the host's name. A port that was released a moment ago is
        # free.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        socket.socket.bind(self.socket, self.server_address[:2])
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET)) == _RESET:
            self.close_request(request)  # the parent would close the connection cleanly first
        else:
            super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # it may have ended by itself
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore senders that close the connection, as many tests do."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def do_POST(self) -> None:
        server = cast(LoopbackServer, self.server)
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self._answer(Reply(status=411 if not length.isdigit() else 413))
            self.close_connection = True
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # its sender has died: no message, but a part of one
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = server.handle(self.path, headers, body)
        if reply.delay:
            server.stopping.wait(reply.delay)
        if reply.hang:
            server.stopping.wait()
            self.close_connection = True
        elif reply.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.close_connection = True
        elif reply.raw is not None:
            self._trickle(reply.raw, reply.pause, server.stopping)
            self.close_connection = not reply.keep_open
        else:
            self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        try:
            phrase = HTTPStatus(reply.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Content-Length: {len(reply.body)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + reply.body)

    def _trickle(self, pieces: Iterable[bytes], pause: float, stopping: threading.Event) -> None:
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            if stopping.wait(pause):
                return

    def log_message(self, *args: Any) -> None:
        """Log nothing: `on_message` reports each message."""
