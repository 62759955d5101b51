"""Whose request gets the next thread: callers take turns."""

import re
from collections import Counter, deque
from functools import cache
from hashlib import sha256
from typing import Any

from django.conf import settings

from pave.core.callers import callers_address, network_of

# All requests whose sender is not known are of this caller.
STRANGERS = ""
# So many keys or sessions of one caller are remembered, those learnt last.
MAX_CREDENTIALS = 100
_AUTHORIZATION = re.compile(rb"\r\nauthorization:([^\r\n]*)", re.IGNORECASE)
_COOKIES = re.compile(rb"\r\ncookie:([^\r\n]*)", re.IGNORECASE)
_FORWARDED = re.compile(rb"\r\nx-forwarded-for:([^\r\n]*)", re.IGNORECASE)


class Turns:
    """Requests that have arrived, and threads for them.

    Each caller in its turn gets a thread, and none has more than half of them: who keeps hundreds
    of requests in progress waits for its own. Who sent a request is known once it is
    authenticated, and is remembered for the next one with the same key or session. Until then it
    has its turn among all strangers, who have theirs by address.

    Only the main loop of a process uses it.

    Args:
        threads: How many there are.
    """

    def __init__(self, threads: int) -> None:
        self._free = threads
        self._most = max(1, threads // 2)
        self._busy: Counter[str] = Counter()
        # By caller and, of strangers, by address; who is next comes first.
        self._waiting: dict[str, dict[str, deque[Any]]] = {}
        self._callers: dict[bytes | None, str] = {}
        self._credentials: dict[str, deque[bytes]] = {}

    def join(self, connection: Any, head: bytes) -> None:
        """Let a request wait for its turn.

        Args:
            connection: Its connection.
            head: Its first line and its headers.
        """
        connection.credential = _credential(head)
        connection.address = address_of(connection.client, head)
        self._queue(connection)

    def _queue(self, connection: Any) -> None:
        connection.caller = self._callers.get(connection.credential, STRANGERS)
        caller, address = holder(connection.caller, connection.address)
        self._waiting.setdefault(caller, {}).setdefault(address, deque()).append(connection)

    def holder_of(self, connection: Any, head: bytes) -> tuple[str, str]:
        """Return who sends a request, and of a stranger the address."""
        caller = self._callers.get(_credential(head), STRANGERS)
        return holder(caller, address_of(connection.client, head))

    def leave(self, connection: Any) -> None:
        """Let a request wait no more."""
        caller, address = holder(connection.caller, connection.address)
        lines = self._waiting[caller]
        lines[address].remove(connection)
        if not lines[address]:
            del lines[address]
            if not lines:
                del self._waiting[caller]

    def take(self) -> Any | None:
        """Return the connection that is next, which has a thread from here on; None for now."""
        while self._free:
            ready = (caller for caller in self._waiting if self._busy[caller] < self._most)
            caller = next(ready, None)
            if caller is None:
                break
            connection = self._next_of(caller)
            if self._callers.get(connection.credential, STRANGERS) != caller:
                self._queue(connection)  # its sender has become known meanwhile
                continue
            self._free -= 1
            self._busy[caller] += 1
            return connection
        return None

    def _next_of(self, caller: str) -> Any:
        """Remove and return the next request of a caller, who is the last one then."""
        lines = self._waiting.pop(caller)
        address = next(iter(lines))
        line = lines.pop(address)
        connection = line.popleft()
        if line:
            lines[address] = line
        if lines:
            self._waiting[caller] = lines
        return connection

    def identify(self, connection: Any, caller: str) -> None:
        """Count a request that has a thread as its sender's, and remember this one.

        Args:
            connection: Its connection.
            caller: Who sent it; ``STRANGERS`` if its key was refused.
        """
        self._busy[connection.caller] -= 1
        self._busy[caller] += 1
        connection.caller = caller
        credential = connection.credential
        if former := self._callers.pop(credential, None):
            self._credentials[former].remove(credential)
        if credential is None or caller == STRANGERS:
            return
        known = self._credentials.setdefault(caller, deque())
        known.append(credential)
        self._callers[credential] = caller
        if len(known) > MAX_CREDENTIALS:
            del self._callers[known.popleft()]

    def end(self, connection: Any) -> None:
        """Take a connection's thread back."""
        self._free += 1
        self._busy[connection.caller] -= 1

    def dismiss(self, more_than: int = 0) -> Any | None:
        """Return the newest request of who has most, if those are ``more_than`` so many.

        Of strangers it is one of the address that has most.
        """
        counts = {caller: sum(map(len, lines.values())) for caller, lines in self._waiting.items()}
        # Of those who have as many, whose turn is last.
        caller = max(reversed(counts), key=counts.__getitem__, default=STRANGERS)
        if counts.get(caller, 0) <= more_than:
            return None
        lines = self._waiting[caller]
        address = max(reversed(lines), key=lambda each: len(lines[each]))
        connection = lines[address][-1]
        self.leave(connection)
        return connection


def holder(caller: str, address: str) -> tuple[str, str]:
    """Return who gives way or has a turn as one: a caller, and of strangers the address."""
    return caller, address if caller == STRANGERS else ""


def _credential(head: bytes) -> bytes | None:
    """Return a digest of an API key or of a session's id; None without any."""
    if found := _AUTHORIZATION.search(head):
        # As ApiKeyAuthentication reads it, so that a key has one digest.
        _, _, secret = found[1].strip(b" \t").decode("latin-1").partition(" ")
        return sha256(secret.strip().encode()).digest()
    cookies = _COOKIES.search(head)
    session = _session_cookie().search(cookies[1]) if cookies else None
    return sha256(session[1]).digest() if session else None


@cache
def _session_cookie() -> re.Pattern[bytes]:
    name = re.escape(settings.SESSION_COOKIE_NAME).encode()
    return re.compile(rb"(?:^|[; \t])" + name + rb"=([^; \t]+)")


def address_of(peer: Any, head: bytes) -> str:
    """Return what counts as the address of a request, as far as proxies can be trusted.

    Args:
        peer: Whose connection it is, as ``accept`` gives it.
        head: The request's head, as far as it has come.
    """
    if not isinstance(peer, tuple):  # by a UNIX socket
        return ""
    forwarded = b",".join(found[1] for found in _FORWARDED.finditer(head))
    return network_of(callers_address(peer[0], forwarded.decode("latin-1")))
