"""Whose request gets the next thread: callers take turns."""

import re
from collections import Counter, OrderedDict, deque
from hashlib import sha256
from typing import Any

# The caller of all requests whose sender is not known.
STRANGERS = ""
# So many credentials are remembered, those used last.
MAX_CREDENTIALS = 10_000
_AUTHORIZATION, _COOKIE = (
    re.compile(rb"\r\n" + name + rb":([^\r\n]*)", re.IGNORECASE)
    for name in (b"authorization", b"cookie")
)


class Turns:
    """Requests that have arrived, and threads for them.

    Each caller in its turn gets a thread, and none has more than half of them: who keeps hundreds
    of requests in progress waits for its own. Who it is is told by its first answer. Until then,
    and where no credential is valid, it takes its turn with all others who are not known.

    Only the main loop of a process uses it.

    Args:
        threads: How many there are.
    """

    def __init__(self, threads: int) -> None:
        self._free = threads
        self._most = max(1, threads // 2)
        self._busy: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[Any]] = OrderedDict()
        self._callers: OrderedDict[bytes, str] = OrderedDict()

    def join(self, connection: Any, head: bytes) -> None:
        """Let a request wait for its turn; ``head`` is its first line and its headers."""
        connection.credential = _credential(head)
        connection.caller = self._callers.get(connection.credential, STRANGERS)
        self._waiting.setdefault(connection.caller, deque()).append(connection)

    def take(self) -> Any | None:
        """Return the connection that is next, which has a thread from here on; None for now."""
        ready = (caller for caller in self._waiting if self._busy[caller] < self._most)
        caller = next(ready, None) if self._free else None
        if caller is None:
            return None
        self._free -= 1
        self._busy[caller] += 1
        connections = self._waiting[caller]
        connection = connections.popleft()
        if connections:
            self._waiting.move_to_end(caller)
        else:
            del self._waiting[caller]
        return connection

    def end(self, connection: Any, caller: str | None) -> None:
        """Take a thread back.

        Args:
            connection: Whose it was.
            caller: Who it turned out to be; None if that is not known.
        """
        self._free += 1
        self._busy[connection.caller] -= 1
        if not self._busy[connection.caller]:
            del self._busy[connection.caller]
        if connection.credential is None:
            return
        self._callers.pop(connection.credential, None)
        if caller is not None:
            self._callers[connection.credential] = caller
            if len(self._callers) > MAX_CREDENTIALS:
                self._callers.popitem(last=False)

    def dismiss(self, most: int) -> Any | None:
        """Return the newest request of who has more than ``most`` waiting, if anybody has."""
        for connections in self._waiting.values():
            if len(connections) > most:
                return connections.pop()
        return None


def _credential(head: bytes) -> bytes | None:
    """Return a digest of an API key, or of the cookies, with the session; None without any."""
    if found := _AUTHORIZATION.search(head):
        _, _, key = found[1].strip().rpartition(b" ")  # however the word before it is written
        return sha256(key).digest()
    found = _COOKIE.search(head)
    return sha256(found[1]).digest() if found else None
