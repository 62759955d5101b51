"""The memory that bodies take before a thread has their requests."""

from collections import Counter, defaultdict
from typing import Any

# A client, or all strangers; and of these the address.
Holder = tuple[str, str]


class HeldBodies:
    """Which connections hold how much, and of whom each is.

    Nobody is refused for what others hold: who holds most has to give way. All strangers are one
    caller, and among them it is the address that holds most.

    Args:
        limit: How much all may hold together, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_caller: Counter[str] = Counter()
        self._by_address: defaultdict[str, Counter[str]] = defaultdict(Counter)
        # The oldest first.
        self._connections: defaultdict[Holder, dict[Any, int]] = defaultdict(dict)
        self._holders: dict[Any, Holder] = {}

    def hold(self, connection: Any, holder: Holder, size: int) -> None:
        """Count what a connection holds by now.

        Args:
            connection: The connection.
            holder: Whose it is.
            size: In bytes.
        """
        self._holders[connection] = holder
        self._count(holder, size - self._connections[holder].get(connection, 0))
        self._connections[holder][connection] = size

    def let_go(self, connection: Any) -> None:
        """Count nothing of a connection any more."""
        if (holder := self._holders.pop(connection, None)) is None:
            return
        self._count(holder, -self._connections[holder].pop(connection))
        if not self._connections[holder]:
            del self._connections[holder]

    def excess(self) -> Any | None:
        """Return the newest connection of who holds most, if all hold too much."""
        if sum(self._by_caller.values()) <= self._limit:
            return None
        caller = max(reversed(self._by_caller), key=self._by_caller.__getitem__)
        addresses = self._by_address[caller]
        address = max(reversed(addresses), key=addresses.__getitem__)
        return next(reversed(self._connections[caller, address]))

    def _count(self, holder: Holder, more: int) -> None:
        caller, address = holder
        self._by_caller[caller] += more
        self._by_address[caller][address] += more
        if not self._by_address[caller][address]:
            del self._by_address[caller][address]
            if not self._by_address[caller]:
                del self._by_address[caller], self._by_caller[caller]
