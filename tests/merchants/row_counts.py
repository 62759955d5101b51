"""What PostgreSQL reads, in rows: the same on a busy machine, unlike time."""

from decimal import Decimal


def rows_read(cursor, tables: str = "merchants_%") -> Decimal:
    """Return how many rows of such tables this transaction has read so far."""
    cursor.execute(
        "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))"
        " FROM pg_stat_xact_user_tables WHERE relname LIKE %s",
        [tables],
    )
    return cursor.fetchone()[0]
