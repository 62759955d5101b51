"""PostgreSQL's advisory locks: names for what is done by one at a time."""

from enum import IntEnum

from django.db import connection


class Lock(IntEnum):
    """What is locked; the numbers are Pave's own, and the same in each of its releases."""

    PUBLISHING = 7_283_001
    CLAIMING_REQUESTS = 7_283_002


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
