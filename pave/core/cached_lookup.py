"""Look-ups kept in the cache, where a change in the database counts at once."""

from collections.abc import Callable
from typing import Generic, TypeVar

from django.core.cache import cache
from django.db import transaction

Value = TypeVar("Value")

_CHANGED = "changed"
# Longer than any request that has read the old row and not yet stored it.
_CHANGED_SECONDS = 30


class CachedLookup(Generic[Value]):
    """One kind of look-up by a key, answered from the cache where it can be.

    After ``forget`` a mark stands in the place of the value for a while. It sends readers to the
    database, and since values are stored only where nothing stands, a slow reader cannot put the
    old value back.

    Args:
        name: Prefix of the cache's keys.
        load: Reads the value from the database; None, which is not stored, when there is none.
        seconds: How long a value may be used. This bounds the harm of a cache that was out of
            reach when a value was to be forgotten.
    """

    def __init__(self, name: str, load: Callable[[str], Value | None], seconds: int = 60) -> None:
        self._name = name
        self._load = load
        self._seconds = seconds

    def get(self, key: str) -> Value | None:
        """Return the value for ``key``, or None."""
        stored = cache.get(self._cache_key(key))
        if stored is not None and stored != _CHANGED:
            return stored
        value = self._load(key)
        if stored is None and value is not None:
            cache.add(self._cache_key(key), value, self._seconds)
        return value

    def forget(self, key: str) -> None:
        """Send readers of ``key`` to the database, now and after the open transaction's end."""

        def mark() -> None:
            cache.set(self._cache_key(key), _CHANGED, _CHANGED_SECONDS)

        mark()
        if transaction.get_connection().in_atomic_block:
            transaction.on_commit(mark)

    def _cache_key(self, key: str) -> str:
        return f"{self._name}:{key}"
