"""A limit to how long rows are waited for that others have locked."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

# PostgreSQL's code for a lock that was not got in time.
_NOT_AVAILABLE = "55P03"


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


def limit_connection(seconds: float) -> None:
    """Limit how long this thread's connection waits for each lock, until it is closed.

    It then raises ``OperationalError``. A connection that a pooler shares with others stays as it
    is, since they would have the limit, too.
    """
    is_shared = connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
    if connection.vendor == "postgresql" and not is_shared:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = %s", [f"{seconds * 1000:.0f}"])
