"""Cached look-ups with immediate invalidation."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.core import signing
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model

Value = TypeVar("Value")
Row = TypeVar("Row", bound=Model)

_CHANGED = "changed"
# Altered or too old; or of another form, which ``restore`` does not know.
_UNREADABLE = (signing.BadSignature, ValidationError, LookupError, TypeError, ValueError)
# Longer than any request that has read the old row but not cached it yet.
_CHANGED_SECONDS = 30


class CachedLookup(Generic[Value]):
    """One kind of look-up by a key, answered from the cache if possible.

    A value is cached as JSON that is signed for its key, so that whoever writes to the cache can
    neither run code nor decide who calls or where messages go. One that was altered, or that
    another release cached in another form, is looked up anew.

    ``invalidate`` replaces the value by a marker for a while. It sends readers to the database, and
    since values are stored only where the cache is empty, a slow reader cannot restore the old
    value.

    Args:
        name: Prefix of the cache's keys.
        load: Reads the value from the database; None, which is not cached, if there is none.
        dump: Returns what JSON can hold of a value.
        restore: Returns the value of what ``dump`` returned.
        seconds: How long a value is cached. This bounds the staleness if the cache was out of
            reach when a value was invalidated.
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

    def get(self, key: str) -> Value | None:
        """Return the value for ``key``, or None."""
        name = self._cache_key(key)
        stored = cache.get(name)
        if stored is not None and stored != _CHANGED:
            try:
                return self._restore(signing.loads(stored, salt=name, max_age=self._seconds))
            except _UNREADABLE:
                stored = None
                cache.delete(name)
        value = self._load(key)
        if stored is None and value is not None:
            cache.add(name, signing.dumps(self._dump(value), salt=name), self._seconds)
        return value

    def invalidate(self, key: str) -> None:
        """Send readers of ``key`` to the database, now and again after the open transaction."""

        def mark() -> None:
            cache.set(self._cache_key(key), _CHANGED, _CHANGED_SECONDS)

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
