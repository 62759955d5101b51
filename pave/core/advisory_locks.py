"""PostgreSQL's advisory locks: names for what is done by one at a time."""

from enum import IntEnum

from django.db import connection


class Lock(IntEnum):
    """What is locked; the numbers are Pave's own, and the same in each of its releases."""

    PUBLISHING = 7_283_001
    CLAIMING_REQUESTS = 7_283_002
    TAKING_BATCHES = 7_283_003
    # Before PUBLISHING, where both are taken.
    DRAFT = 7_283_004


def take(lock: Lock, *, shared: bool = False) -> None:
    """Wait for a lock and hold it until the open transaction ends.

    Args:
        lock: Which one.
        shared: Hold it together with others who share it.
    """
    # SQLite lets one transaction write at a time, and needs no more.
    if connection.vendor == "postgresql":
        name = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {name}(%s)", [lock.value])


def take_own(lock: Lock, whose: int) -> None:
    """Wait for somebody's own lock and hold it until the open transaction ends.

    Args:
        lock: Which one.
        whose: Who has one of their own, by primary key.
    """
    _call("pg_advisory_xact_lock", lock, whose)


def is_taken(lock: Lock, whose: int) -> bool:
    """Return whether another has somebody's own lock; else hold it until the transaction ends.

    Args:
        lock: Which one.
        whose: Who has one of their own, by primary key.
    """
    return _call("pg_try_advisory_xact_lock", lock, whose) is False


def _call(function: str, lock: Lock, whose: int) -> bool | None:
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, %s)", [lock.value, whose & 0x7FFF_FFFF])
        taken: bool | None = cursor.fetchone()[0]
        return taken
