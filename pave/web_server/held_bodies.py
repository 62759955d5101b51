"""The memory that bodies take before a thread has their requests."""

from collections import Counter, defaultdict
from typing import Any


class HeldBodies:
    """Which connections hold how much, and of whom each is.

    Nobody is refused for what others hold: who holds most has to give way.

    Args:
        limit: How much all may hold together, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._sizes: Counter[str] = Counter()
        # By holder, the oldest first.
        self._connections: defaultdict[str, dict[Any, int]] = defaultdict(dict)
        self._holders: dict[Any, str] = {}

    def hold(self, connection: Any, holder: str, size: int) -> None:
        """Count what a connection holds by now.

        Args:
            connection: The connection.
            holder: Whose it is.
            size: In bytes.
        """
        self._holders[connection] = holder
        more = size - self._connections[holder].get(connection, 0)
        self._connections[holder][connection] = size
        self._sizes[holder] += more
        self._total += more

    def let_go(self, connection: Any) -> None:
        """Count nothing of a connection any more."""
        if (holder := self._holders.pop(connection, None)) is None:
            return
        size = self._connections[holder].pop(connection)
        self._sizes[holder] -= size
        self._total -= size
        if not self._connections[holder]:
            del self._connections[holder], self._sizes[holder]

    def excess(self) -> Any | None:
        """Return the newest connection of who holds most, if all hold too much."""
        if self._total <= self._limit:
            return None
        holder = max(self._sizes, key=self._sizes.__getitem__)
        return next(reversed(self._connections[holder]))
