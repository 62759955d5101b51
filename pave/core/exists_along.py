"""An EXISTS query that is forced along an index."""

from typing import Any

from django.db.models import QuerySet


def exists_along(rows: QuerySet[Any], *fields: str) -> bool:
    """Return whether there are ``rows``, by the index that orders them by ``fields``.

    ``QuerySet.exists()`` has no order. With stale statistics, from when nearly all rows matched,
    PostgreSQL would then scan the table from its beginning, where none match any more.
    """
    return bool(rows.order_by(*fields).values_list("pk")[:1])
