"""Whose request gets the next thread: callers take turns."""

import re
from collections import Counter, deque
from collections.abc import Iterator
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
        self._queued: dict[str, dict[str, deque[Any]]] = {}
        self._callers: dict[bytes | None, str] = {}
        self._credentials: dict[str, deque[bytes]] = {}

    def recognize(self, connection: Any, head: bytes) -> None:
        """Note who sends a request: its holder is a caller, and of strangers the address.

        Args:
            connection: Its connection.
            head: Its first line and its headers.
        """
        connection.credential = _credential(head)
        connection.address = address_of(connection.client, head)
        self._find_holder(connection)

    def _find_holder(self, connection: Any) -> None:
        caller = self._callers.get(connection.credential, STRANGERS)
        connection.holder = holder(caller, connection.address)

    def join(self, connection: Any) -> None:
        """Let a request whose sender has been noted wait for its turn."""
        self._find_holder(connection)  # it may have become known meanwhile
        caller, address = connection.holder
        self._queued.setdefault(caller, {}).setdefault(address, deque()).append(connection)

    def leave(self, connection: Any) -> None:
        """Let a request wait no more."""
        caller, address = connection.holder
        lines = self._queued[caller]
        lines[address].remove(connection)
        if not lines[address]:
            del lines[address]
            if not lines:
                del self._queued[caller]

    def queued(self) -> Iterator[Any]:
        """Return the connections whose requests wait, of each holder the newest first."""
        for lines in self._queued.values():
            for line in lines.values():
                yield from reversed(line)

    def take(self) -> Any | None:
        """Return the connection that is next, which has a thread from here on; None for now."""
        while self._free:
            ready = (caller for caller in self._queued if self._busy[caller] < self._most)
            caller = next(ready, None)
            if caller is None:
                break
            connection = self._next_of(caller)
            if self._callers.get(connection.credential, STRANGERS) != caller:
                self.join(connection)  # its sender has become known meanwhile
                continue
            self._free -= 1
            self._busy[caller] += 1
            return connection
        return None

    def _next_of(self, caller: str) -> Any:
        """Remove and return the next request of a caller, who is the last one then."""
        lines = self._queued.pop(caller)
        address = next(iter(lines))
        line = lines.pop(address)
        connection = line.popleft()
        if line:
            lines[address] = line
        if lines:
            self._queued[caller] = lines
        return connection

    def identify(self, connection: Any, caller: str) -> None:
        """Count a request that has a thread as its sender's, and remember this one.

        Args:
            connection: Its connection.
            caller: Who sent it; ``STRANGERS`` if its key was refused.
        """
        self._busy[connection.holder[0]] -= 1
        self._busy[caller] += 1
        connection.holder = holder(caller, connection.address)
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
        self._busy[connection.holder[0]] -= 1


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
