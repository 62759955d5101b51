"""Cached values that only Pave can have written, and look-ups that can be invalidated."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model

from pave.core import clock

logger = logging.getLogger(__name__)

Value = TypeVar("Value")
Row = TypeVar("Row", bound=Model)

_CHANGED = "changed"
# Altered or too old; or of another form, which ``restore`` does not know.
_UNREADABLE = (
    *(signing.BadSignature, ValidationError),
    *(LookupError, RecursionError, TypeError, ValueError),
)
# Longer than any request that has read the old row but not cached it yet.
_CHANGED_SECONDS = 30
# For how long a process uses what it has read without looking into the cache again, in seconds, and
# how many such values it keeps.
PROCESS_SECONDS = 1.0
_PROCESS_LIMIT = 10_000


def read_cached(name: str, restore: Callable[[Any], Value], *, seconds: int) -> Value | None:
    """Return the value that ``write_cached`` stored, or None.

    It is JSON that is signed for its name, so that whoever writes to the cache can neither run code
    nor decide who calls. What was altered, or what another release cached in another form, is
    removed.

    Args:
        name: The cache's key.
        restore: Makes the value of what JSON holds; may fail for another release's.
        seconds: How old it may be.
    """
    stored = cache.get(name)
    return None if stored is None else _restored(name, stored, restore, seconds)


def write_cached(name: str, plain: Any, *, seconds: int) -> None:
    """Cache what JSON can hold for ``read_cached``, if there is none."""
    cache.add(name, signing.dumps([clock.timestamp(), plain], salt=name), seconds)


def _restored(
    name: str, stored: object, restore: Callable[[Any], Value], seconds: int
) -> Value | None:
    try:
        # Not ``max_age``, which goes by the machine's clock.
        written_at, plain = signing.loads(str(stored), salt=name)
        if abs(clock.timestamp() - written_at) <= seconds:
            return restore(plain)
    except _UNREADABLE:
        pass
    cache.delete(name)
    return None


class CachedLookup(Generic[Value]):
    """One kind of look-up by a key, answered from memory or from the cache if possible.

    ``invalidate`` replaces the value by a marker for a while. It sends readers to the database, and
    since values are stored only where the cache is empty, a slow reader cannot restore the old
    value. Other processes may use what they have read for ``PROCESS_SECONDS`` more. All threads of
    a process get the same value, so nobody may change it.

    Args:
        name: Prefix of the cache's keys.
        load: Reads the value from the database; None, which is not cached, if there is none.
        dump: Returns what JSON can hold of a value.
        restore: Returns the value of what ``dump`` returned.
        seconds: How long a value is cached. This bounds the staleness if a value could not be
            invalidated, as the log then says.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[str], Value | None],
        *,
        dump: Callable[[Value], Any],
        restore: Callable[[Any], Value],
        seconds: int = 60,
    ) -> None:
        self._name = name
        self._load = load
        self._dump = dump
        self._restore = restore
        self._seconds = seconds
        # The values that this process has read, and when; seconds of the monotonic clock.
        self._in_process: dict[str, tuple[float, Value]] = {}
        self._invalidations = 0

    def get(self, key: str) -> Value | None:
        """Return the value for ``key``, or None."""
        begun = time.monotonic()
        read_at, value = self._in_process.get(key, (-math.inf, None))
        if begun - read_at < PROCESS_SECONDS:
            return value
        invalidations = self._invalidations
        value = self._read(key)
        if value is not None and invalidations == self._invalidations:
            if len(self._in_process) >= _PROCESS_LIMIT:
                self._in_process.clear()
            self._in_process[key] = begun, value
        return value

    def _read(self, key: str) -> Value | None:
        name = self._cache_key(key)
        stored = cache.get(name)
        if stored == _CHANGED:
            return self._load(key)
        if stored is not None:
            restored = _restored(name, stored, self._restore, self._seconds)
            if restored is not None:
                return restored
        value = self._load(key)
        if value is not None:
            write_cached(name, self._dump(value), seconds=self._seconds)
        return value

    def invalidate(self, key: str) -> None:
        """Send readers of ``key`` to the database, now and again after the open transaction."""

        def mark() -> None:
            self._invalidations += 1
            self._in_process.pop(key, None)
            name = self._cache_key(key)
            cache.set(name, _CHANGED, _CHANGED_SECONDS)
            # Redis that is full takes nothing, but removes; a read-only one does neither, nor does
            # one that only this process cannot reach.
            if cache.get(name) != _CHANGED and not cache.delete(name):
                logger.error(
                    "cache.not_invalidated", extra={"lookup": self._name, "seconds": self._seconds}
                )

        mark()
        if transaction.get_connection().in_atomic_block:
            transaction.on_commit(mark)

    def _cache_key(self, key: str) -> str:
        return f"{self._name}:{key}"


def row_as_json(row: Model) -> dict[str, Any]:
    """Return a row's columns as JSON can hold them."""
    columns: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        plain = value is None or isinstance(value, str | int | float | bool)
        columns[field.attname] = value if plain else field.value_to_string(row)
    return columns


def row_from_json(model: type[Row], columns: dict[str, Any]) -> Row:
    """Return the row of ``row_as_json``; a column that it lacks is loaded when it is needed."""
    fields = [field for field in model._meta.concrete_fields if field.attname in columns]
    values = [field.to_python(columns[field.attname]) for field in fields]
    return model.from_db(None, [field.attname for field in fields], values)
