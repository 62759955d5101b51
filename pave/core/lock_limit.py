"""A limit to how long a transaction waits for rows that others have locked."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from django.db import OperationalError, connection, transaction

# PostgreSQL's code for a lock that was not got in time.
_NOT_AVAILABLE = "55P03"
# How long ``update_unlocked`` waits for the rows of all updates, and then for those of each.
_TOGETHER_SECONDS = 2.0
_EACH_SECONDS = 0.1

Key = TypeVar("Key")


class Locked(Exception):
    """Somebody has held a lock for longer than the limit."""


@contextmanager
def atomic(*, lock_seconds: float | None) -> Iterator[None]:
    """Run a block in a transaction, or in a savepoint of the open one.

    Args:
        lock_seconds: How long it waits for each lock; None: for as long as it takes. SQLite, which
            has one lock for all, does not know it.

    Raises:
        Locked: It would have to wait longer; nothing is done.
    """
    if connection.vendor != "postgresql":
        lock_seconds = None
    is_savepoint = connection.in_atomic_block
    try:
        with transaction.atomic():
            if lock_seconds is not None:
                with connection.cursor() as cursor:
                    # For this transaction alone.
                    milliseconds = f"{lock_seconds * 1000:.0f}"
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [milliseconds])
            yield
            if lock_seconds is not None and is_savepoint:
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) == _NOT_AVAILABLE:
            raise Locked from error
        raise


def update_unlocked(updates: Mapping[Key, Callable[[], object]]) -> list[Key]:
    """Make updates of rows that others update, too, but those whose rows stay locked.

    A transaction that somebody forgot to end must not stop the work of all clients. Call it in a
    transaction.

    Args:
        updates: In an order that is the same everywhere, to avoid deadlocks.

    Returns:
        The keys of the updates that are not made.
    """
    if not updates:
        return []
    try:
        with atomic(lock_seconds=_TOGETHER_SECONDS):
            for update in updates.values():
                update()
    except Locked:
        locked = []
        for key, update in updates.items():
            try:
                with atomic(lock_seconds=_EACH_SECONDS):
                    update()
            except Locked:
                locked.append(key)
        return locked
    return []
