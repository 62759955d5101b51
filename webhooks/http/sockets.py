"""Sockets that go only to checked addresses and keep to one deadline.

`requests` and urllib3 give every single read its own time-out, so an endpoint that sends one byte
now and then could hold a post for ever. Here the sockets themselves know when the whole exchange
must be over and ask for no more than the time that is left. Nothing watches from outside: no
thread, and no socket that is shut down after its number has gone to somebody else.
"""

import ipaddress
import socket
import ssl
import threading
import time
from typing import Any

from webhooks.http.address_policy import AddressPolicy, Resolved
from webhooks.http.outcome import TooLarge

# Bytes of one answer, head and body: the parser bounds headers and lines, and the transport the
# body, but nothing in them bounds interim answers (1xx) and the trailers of a chunked body.
MAX_RECEIVED = 256 * 1024


class Exchange:
    """One post under way: its deadline, and what its connection reports about it.

    Times are those of `time.monotonic`; `timings` holds milliseconds for the stages that took
    place, so none for dns, connect and tls where a kept connection was used.
    """

    __slots__ = ("address", "deadline", "fresh", "received", "reused", "started", "timings")

    def __init__(self, timeout: float, *, fresh: bool = False) -> None:
        self.started = time.monotonic()
        self.deadline = self.started + timeout
        self.fresh = fresh  # whether a kept connection may not be used
        self.reused = False
        self.received = 0
        self.address: str | None = None
        self.timings: dict[str, int] = {}

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: it has passed.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the exchange has passed")
        return left

    def elapsed_ms(self) -> int:
        return int((time.monotonic() - self.started) * 1000)

    def again(self) -> "Exchange":
        """The same exchange, to be made on a new connection in the time that is left."""
        again = Exchange(0, fresh=True)
        again.started, again.deadline = self.started, self.deadline
        return again

    def note(self, stage: str, since: float) -> None:
        self.timings[stage] = int((time.monotonic() - since) * 1000)

    def heard(self, count: int) -> None:
        """Bytes of the answer have come; none of them are the end of the connection.

        Raises:
            TooLarge: they are more than ``MAX_RECEIVED``.
        """
        self.received += count
        if self.received > MAX_RECEIVED:
            raise TooLarge
        if count and "first_byte" not in self.timings:
            self.note("first_byte", self.started)


class _DeadlineSocket(socket.socket):
    """A plain socket that waits no longer than its exchange may take."""

    exchange: Exchange

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        exchange = self.exchange
        self.settimeout(exchange.left())
        count = super().recv_into(*args, **kwargs)
        exchange.heard(count)
        return count

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.exchange.left())
        super().sendall(*args, **kwargs)


class DeadlineTLSSocket(ssl.SSLSocket):
    """The same over TLS. The handshake is bounded by the time-out the plain socket had."""

    exchange: Exchange | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        exchange = self.exchange
        if exchange is None:
            return super().recv_into(*args, **kwargs)
        self.settimeout(exchange.left())
        count = super().recv_into(*args, **kwargs)
        exchange.heard(count)
        return count

    def send(self, *args: Any, **kwargs: Any) -> int:
        # `sendall` of a TLS socket is a loop over this.
        if self.exchange is not None:
            self.settimeout(self.exchange.left())
        return super().send(*args, **kwargs)


class Dialler:
    """Opens connections for the exchange that the calling thread is in."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._of_thread = threading.local()

    @property
    def exchange(self) -> Exchange:
        exchange: Exchange = self._of_thread.exchange
        return exchange

    @exchange.setter
    def exchange(self, exchange: Exchange) -> None:
        self._of_thread.exchange = exchange

    def dial(self, host: str, port: int) -> socket.socket:
        """A connected socket to the first of the host's addresses that answers.

        Raises:
            Blocked: the host has an address that may not be dialled.
            OSError: look-up or connection failed, or took too long.
        """
        exchange = self.exchange
        exchange.timings.clear()
        began = time.monotonic()
        resolved = self._resolve(host, port, exchange)
        exchange.note("dns", began)
        began = time.monotonic()
        failure: OSError = OSError("no address")
        for index, (family, address) in enumerate(resolved.targets):
            # A dead address may not eat the time of those behind it.
            share = exchange.left() / (len(resolved.targets) - index)
            exchange.address = str(address[0])
            sock = _DeadlineSocket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(share)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(exchange.left())
            except OSError as error:
                sock.close()
                failure = error
                continue
            exchange.note("connect", began)
            sock.exchange = exchange
            return sock
        raise failure

    def _resolve(self, host: str, port: int, exchange: Exchange) -> Resolved:
        """The policy's look-up, given up at the deadline; an address needs none.

        The system's resolver cannot be interrupted, so a name is looked up in a thread of its
        own, which ends when the resolver does.
        """
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            pass
        else:
            return self._policy.resolve(host, port)

        answer: list[Resolved | Exception] = []

        def look_up() -> None:
            try:
                answer.append(self._policy.resolve(host, port))
            except Exception as error:  # raised again by the thread that waits
                answer.append(error)

        thread = threading.Thread(target=look_up, name="webhook-look-up", daemon=True)
        thread.start()
        thread.join(exchange.left())
        if not answer:
            raise TimeoutError("the host name was not resolved in time")
        if isinstance(answer[0], Exception):
            raise answer[0]
        return answer[0]
