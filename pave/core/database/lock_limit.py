"""A limit to how long rows are waited for that others have locked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

# PostgreSQL's code for a lock that was not got in time.
_NOT_AVAILABLE = "55P03"


class Locked(Exception):
    """Somebody has held a lock for longer than the limit."""


class _Limits(threading.local):
    # What was the limit before that of the innermost ``atomic``.
    before: str | None = None


_limits = _Limits()


@contextmanager
def atomic(*, lock_seconds: float | None = None) -> Iterator[None]:
    """Run a block in a transaction, or in a savepoint of the open one.

    Args:
        lock_seconds: How long it waits for each lock; None: for as long as it takes. SQLite, which
            has one lock for all, does not know it.

    Raises:
        Locked: It would have to wait longer; nothing is done.
    """
    is_savepoint = connection.in_atomic_block
    outer, _limits.before = _limits.before, None
    try:
        with transaction.atomic():
            if lock_seconds is not None:
                limit_this(lock_seconds)
            yield
            if is_savepoint and _limits.before is not None:
                _limit_transaction(_limits.before)
    except OperationalError as error:
        if is_limit(error):
            raise Locked(str(error)) from error
        raise
    finally:
        _limits.before = outer


def is_limit(error: OperationalError) -> bool:
    """Return whether an error says that a lock was not got in time."""
    return getattr(error.__cause__, "pgcode", None) == _NOT_AVAILABLE


def _limit_transaction(limit: str) -> str:
    """Set the limit until the transaction ends, or a savepoint is rolled back; return the last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH last AS MATERIALIZED (SELECT current_setting('lock_timeout') AS value)"
            " SELECT value, set_config('lock_timeout', %s, true) FROM last",
            [limit],
        )
        return str(cursor.fetchone()[0])


def limit_this(seconds: float) -> None:
    """Limit how long the open transaction, one of ``atomic``'s, waits for each lock from now on."""
    if connection.vendor == "postgresql":
        before = _limit_transaction(f"{seconds * 1000:.0f}")
        if _limits.before is None:
            _limits.before = before


def limit_connection(seconds: float) -> None:
    """Limit how long this thread's connection waits for each lock, until it is closed.

    It then raises ``OperationalError``. A connection that a pooler shares with others stays as it
    is, since they would have the limit, too.
    """
    is_shared = connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
    if connection.vendor == "postgresql" and not is_shared:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = %s", [f"{seconds * 1000:.0f}"])
