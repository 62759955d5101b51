"""PostgreSQL's advisory locks, for work that must not run concurrently."""

from enum import IntEnum
from typing import Any

from django.db import connection


class Lock(IntEnum):
    """What is locked; the numbers must stay the same in every release."""

    PUBLISHING = 7_283_001
    CLAIMING_REQUESTS = 7_283_002
    TAKING_BATCHES = 7_283_003
    # Taken before PUBLISHING where both are needed.
    DRAFT = 7_283_004
    # An Idempotency-Key; the owner is a digest.
    USING_KEY = 7_283_005
    STARTING_COUNT = 7_283_006


def take(lock: Lock, *, shared: bool = False) -> None:
    """Wait for a lock, and hold it until the open transaction ends.

    Args:
        lock: Which one.
        shared: Whether to share it with other shared holders.
    """
    _call("pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock", lock.value)


def is_taken(lock: Lock) -> bool:
    """Return whether another holds a lock; else hold it until the open transaction ends."""
    return _call("pg_try_advisory_xact_lock", lock.value) is False


def take_for(lock: Lock, owner_pk: int) -> None:
    """Wait for an owner's lock, and hold it until the open transaction ends.

    Args:
        lock: Which one.
        owner_pk: The primary key of the lock's owner.
    """
    _call("pg_advisory_xact_lock", lock.value, _half(owner_pk))


def is_taken_for(lock: Lock, owner_pk: int) -> bool:
    """Return whether another holds an owner's lock; else hold it until the transaction ends.

    Args:
        lock: Which one.
        owner_pk: The primary key of the lock's owner.
    """
    return _call("pg_try_advisory_xact_lock", lock.value, _half(owner_pk)) is False


def _half(owner_pk: int) -> int:
    """Return the half of a lock's key that is its owner's."""
    return owner_pk & 0x7FFF_FFFF


def _call(function: str, *key: int) -> Any:
    """Call one of PostgreSQL's functions, and return its result."""
    # SQLite allows only one writing transaction anyway.
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        # Not callproc, which passes by what counts a connection's errors (db_retry).
        cursor.execute(f"SELECT {function}({', '.join(['%s'] * len(key))})", key)
        return cursor.fetchone()[0]
