"""Transactions in which nothing happens are ended by PostgreSQL.

A process or machine that is frozen, or gone without a word, would otherwise hold its locks, and all
who wait for them up, until it goes on or its connection breaks, which may take hours.
"""

from typing import Any

from django.db import connection

# Of every transaction: longer than Pave computes between two statements.
IDLE_SECONDS = 30.0


def limit_all(connection: Any, **kwargs: Any) -> None:
    """Limit the transactions of a connection. Receiver of Django's ``connection_created``."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            milliseconds = f"{1000 * IDLE_SECONDS:.0f}"
            cursor.execute("SET idle_in_transaction_session_timeout = %s", [milliseconds])


def limit_this(seconds: float) -> None:
    """Limit the open transaction otherwise.

    Args:
        seconds: How long nothing may happen in it; less where all others wait for its locks, more
            where it computes for long and only its own client waits.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            milliseconds = f"{1000 * seconds:.0f}"
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = %s", [milliseconds])
