"""Locks of PostgreSQL's: holds some, waits for others to wait for some, refuses a trap."""

import re
import time
from contextlib import contextmanager

from django.db import connection

# How to lock a row for ``locked``, so that nothing can refer to it.
FOR_UPDATE = "SELECT 1 FROM {table} WHERE {key} = %s FOR UPDATE"
_SECONDS = 20


@contextmanager
def locked(*rows, by="UPDATE {table} SET {key} = {key} WHERE {key} = %s"):
    """Hold rows, as a statement does in a transaction that is not ended."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            for row in rows:
                table = connection.ops.quote_name(row._meta.db_table)
                cursor.execute(by.format(table=table, key=row._meta.pk.column), [row.pk])
            yield
            cursor.execute("ROLLBACK")
    finally:
        other.close()


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


_CHANGE = re.compile(r'(?:UPDATE|DELETE FROM) "(\w+)".*? WHERE (.*)', re.DOTALL)


def refuse_conditions_in_sub_queries(connection, **kwargs):
    """Fail a change whose conditions are in a sub-query, as Django writes them for a join.

    PostgreSQL does not look at them again after it had to wait for a row, so that what has changed
    it is undone. Receiver of Django's ``connection_created``. (SQLite has one writer at a time.)
    """
    if connection.vendor != "postgresql":
        return

    def execute(execute, sql, params, many, context):
        change = _CHANGE.match(sql) if isinstance(sql, str) else None
        if change and "FOR UPDATE" not in change[2]:
            assert f'FROM "{change[1]}"' not in change[2], f"Lock the rows first: {sql}"
        return execute(sql, params, many, context)

    connection.execute_wrappers.append(execute)
