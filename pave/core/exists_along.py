"""Whether a large table has such rows, asked along an index."""

from typing import Any

from django.db.models import QuerySet


def exists_along(rows: QuerySet[Any], *fields: str) -> bool:
    """Return whether there are ``rows``, by the index that has them in the order of ``fields``.

    ``QuerySet.exists()`` has no order. With statistics from a time when nearly all rows were such
    ones, PostgreSQL then reads the table from its beginning, where there is none any more.
    """
    return bool(rows.order_by(*fields).values_list("pk")[:1])
