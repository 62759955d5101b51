"""Waits for others to wait for locks of PostgreSQL's."""

import time

from django.db import connection

_SECONDS = 20


def wait_until_somebody_waits() -> None:
    """Wait until a session of the test's database waits for a lock."""
    end = time.monotonic() + _SECONDS
    while not _somebody_waits():
        assert time.monotonic() < end, "Nobody waits for a lock."
        time.sleep(0.02)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it stays the same
        cursor.execute(
            "SELECT FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return cursor.fetchone() is not None
