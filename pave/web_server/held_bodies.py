"""The memory that bodies take before a thread has their requests."""

from collections import Counter, defaultdict
from typing import Any

# A client, or all strangers; and of these the address.
Holder = tuple[str, str]


class HeldBodies:
    """Which connections hold how much, and of whom each is.

    Who holds most gives way. All strangers are one caller, and among them it is the address with
    most connections: its oldest one, since who means it sends a body at once.

    Args:
        limit: How much all may hold together, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_caller: Counter[str] = Counter()
        # By caller and address, the oldest first.
        self._sizes: defaultdict[str, dict[str, dict[Any, int]]] = defaultdict(dict)
        self._holders: dict[Any, Holder] = {}

    def hold(self, connection: Any, holder: Holder, size: int) -> None:
        """Count what a connection holds by now.

        Args:
            connection: The connection.
            holder: Whose it is.
            size: In bytes.
        """
        caller, address = self._holders[connection] = holder
        sizes = self._sizes[caller].setdefault(address, {})
        self._by_caller[caller] += size - sizes.get(connection, 0)
        sizes[connection] = size

    def let_go(self, connection: Any) -> None:
        """Count nothing of a connection any more."""
        if (holder := self._holders.pop(connection, None)) is None:
            return
        caller, address = holder
        sizes = self._sizes[caller][address]
        self._by_caller[caller] -= sizes.pop(connection)
        if not sizes:
            del self._sizes[caller][address]
            if not self._sizes[caller]:
                del self._sizes[caller], self._by_caller[caller]

    def excess(self) -> Any | None:
        """Return the connection that has to give way, if all hold too much together."""
        if sum(self._by_caller.values()) <= self._limit:
            return None
        caller = max(self._by_caller, key=self._by_caller.__getitem__)
        addresses = self._sizes[caller]
        address = max(addresses, key=lambda each: len(addresses[each]))
        return next(iter(addresses[address]))
