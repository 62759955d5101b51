"""Reads large tables along a given index, whatever the statistics say.

Nearly all rows of some tables are finished, and few wait; in a backlog it is the other way round.
With statistics from a backlog, PostgreSQL expects waiting rows everywhere, starts at the beginning
of the table or of another index, and reads all finished rows before it finds one, or none.
"""

from typing import Any

from django.db.models import QuerySet


def exists_along(rows: QuerySet[Any], *fields: str) -> bool:
    """Return whether there are ``rows``, using the index with the order of ``fields``.

    ``QuerySet.exists()`` drops the order, so PostgreSQL may choose any plan.
    """
    return bool(rows.order_by(*fields).values_list("pk")[:1])


def just(field: str, value: Any) -> dict[str, Any]:
    """Return lookups for rows whose ``field`` is ``value``, written as a range.

    With an equality, PostgreSQL drops the field from the order, and may then use another index with
    the remaining order. With a range it keeps the field, if the order begins with it.
    """
    return {f"{field}__gte": value, f"{field}__lte": value}
