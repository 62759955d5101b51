"""Sockets that connect only to checked addresses and keep to one deadline.

`requests` and urllib3 give every single read its own time-out, so an endpoint that sends one byte
now and then could hold a post for ever. Here the sockets themselves know when the whole exchange
must be over and wait no longer than the remaining time. A watchdog thread is not needed; it might
shut down a socket whose number has been reused.
"""

import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any, cast

from urllib3.util.ssltransport import SSLTransport

from webhooks.http.address_policy import AddressPolicy, Resolved
from webhooks.http.outcome import TooLarge

# Bytes of one response, head and body, and of TLS around it: its reader bounds the head and lines,
# and the transport the body, but nothing in them bounds the trailers of a chunked body, the
# extensions of its chunks, and messages of TLS alone.
MAX_RECEIVED = 256 * 1024
# Pieces in which they come: each costs a sender's CPU, however short it is.
MAX_READS = 4_000


class Exchange:
    """One post in flight: its deadline, and what its connection reports about it.

    Times are those of `time.monotonic`; `timings` holds milliseconds for the stages that took
    place, so none for dns, connect and tls where a kept connection was used.
    """

    __slots__ = (
        *("address", "deadline", "ended", "fresh", "left_over", "received", "reads"),
        *("reused", "started", "timings"),
    )

    def __init__(self, timeout: float, *, fresh: bool = False) -> None:
        self.started = time.monotonic()
        self.deadline = self.started + timeout
        self.fresh = fresh  # whether a new connection is required
        self.reused = False
        self.received = self.reads = 0
        self.ended = False  # whether its answer has: nothing more is read for it
        self.left_over = False  # whether more has come than that answer
        self.address: str | None = None
        self.timings: dict[str, int] = {}

    def remaining(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: it has passed.
        """
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline of the exchange has passed")
        return seconds

    def elapsed_ms(self) -> int:
        return int((time.monotonic() - self.started) * 1000)

    def for_retry(self) -> "Exchange":
        """The same exchange, to be made on a new connection in the remaining time."""
        exchange = Exchange(0, fresh=True)
        exchange.started, exchange.deadline = self.started, self.deadline
        exchange.received, exchange.reads = self.received, self.reads
        return exchange

    def record_timing(self, stage: str, since: float) -> None:
        self.timings[stage] = int((time.monotonic() - since) * 1000)

    def count_received(self, count: int) -> None:
        """Count received bytes: of the response, and of TLS around it.

        Raises:
            TooLarge: they are more than ``MAX_RECEIVED``, or in more than ``MAX_READS`` pieces.
        """
        self.received += count
        self.reads += 1
        if self.received > MAX_RECEIVED or self.reads > MAX_READS:
            raise TooLarge

    def record_first_byte(self, count: int) -> None:
        """Record when the response began, if ``count`` bytes of it are the first."""
        if count and "first_byte" not in self.timings:
            self.record_timing("first_byte", self.started)


class DeadlineSocket(socket.socket):
    """A plain socket that waits no longer than its exchange may take, and counts what comes."""

    exchange: Exchange

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        self.settimeout(self.exchange.remaining())
        received = super().recv(*args, **kwargs)
        self.exchange.count_received(len(received))
        return received

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.exchange.ended:
            return 0
        self.settimeout(self.exchange.remaining())
        count = super().recv_into(*args, **kwargs)
        self.exchange.count_received(count)
        self.exchange.record_first_byte(count)
        return count

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.exchange.remaining())
        super().sendall(*args, **kwargs)


class TLSOverDeadlineSocket(SSLTransport):
    """TLS whose every byte, the handshake's too, passes through a ``DeadlineSocket``.

    Python's own TLS socket reads on in OpenSSL, whatever the time, as long as an endpoint sends
    nothing but messages of the protocol (session tickets).
    """

    socket: DeadlineSocket
    sslobj: ssl.SSLObject

    def __init__(self, sock: DeadlineSocket, context: ssl.SSLContext, hostname: str) -> None:
        try:
            super().__init__(sock, context, hostname)
        except ssl.SSLError:
            # The alert, which tells the endpoint's operators what is wrong with their certificate.
            with suppress(OSError):
                sock.sendall(self.outgoing.read())
            raise

    @property
    def exchange(self) -> Exchange:
        return self.socket.exchange

    @exchange.setter
    def exchange(self, exchange: Exchange) -> None:
        self.socket.exchange = exchange

    @property
    def has_unread(self) -> bool:
        """Whether there are bytes that the last response did not contain."""
        return bool(self.incoming.pending or self.sslobj.pending())

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.exchange.ended:
            return 0
        count = cast(int, super().recv_into(*args, **kwargs))
        self.exchange.record_first_byte(count)
        return count


class TLSContext(ssl.SSLContext):
    """A context whose sockets keep to the deadlines of exchanges."""

    def wrap_socket(  # type: ignore[override]  # what urllib3 asks for
        self, sock: DeadlineSocket, *, server_hostname: str
    ) -> TLSOverDeadlineSocket:
        return TLSOverDeadlineSocket(sock, self, server_hostname)


class Dialler:
    """Opens connections for the exchange that the calling thread is in."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._local = threading.local()

    @property
    def exchange(self) -> Exchange:
        exchange: Exchange = self._local.exchange
        return exchange

    @exchange.setter
    def exchange(self, exchange: Exchange) -> None:
        self._local.exchange = exchange

    def dial(self, host: str, port: int) -> socket.socket:
        """A connected socket to the first of the host's addresses that answers.

        Raises:
            AddressError: the host has an address that may not be dialled.
            OSError: look-up or connection failed, or took too long.
        """
        exchange = self.exchange
        exchange.timings.clear()
        started = time.monotonic()
        resolved = self._resolve(host, port, exchange)
        exchange.record_timing("dns", started)
        started = time.monotonic()
        failure: OSError = OSError("no address")
        for index, (family, address) in enumerate(resolved.targets):
            # An unresponsive address must not use up the time for the others.
            share = exchange.remaining() / (len(resolved.targets) - index)
            exchange.address = str(address[0])
            sock = DeadlineSocket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(share)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(exchange.remaining())
            except OSError as error:
                sock.close()
                failure = error
                continue
            exchange.record_timing("connect", started)
            sock.exchange = exchange
            return sock
        raise failure

    def _resolve(self, host: str, port: int, exchange: Exchange) -> Resolved:
        """The policy's look-up, abandoned at the deadline; an address needs none.

        The system's resolver cannot be interrupted, so a name is looked up in a thread of its
        own, which ends when the resolver does.
        """
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            pass
        else:
            return self._policy.resolve(host, port)

        result: list[Resolved | Exception] = []

        def look_up() -> None:
            try:
                result.append(self._policy.resolve(host, port))
            except Exception as error:  # raised again by the thread that waits
                result.append(error)

        thread = threading.Thread(target=look_up, name="webhook-look-up", daemon=True)
        thread.start()
        thread.join(exchange.remaining())
        if not result:
            raise TimeoutError("the host name was not resolved in time")
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]
