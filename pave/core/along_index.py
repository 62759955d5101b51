"""Reading large tables along an index, whatever the statistics say.

Nearly all rows of some tables are finished, and few wait; in a backlog it is the other way round.
With statistics of then, PostgreSQL takes any few rows of a kind to be near the beginning of the
table, or of another index, and reads all that is finished before it finds one, or none.
"""

from typing import Any

from django.db.models import QuerySet


def exists_along(rows: QuerySet[Any], *fields: str) -> bool:
    """Return whether there are ``rows``, by the index that has them in the order of ``fields``.

    ``QuerySet.exists()`` has no order, and so any plan will do for it.
    """
    return bool(rows.order_by(*fields).values_list("pk")[:1])


def just(field: str, value: Any) -> dict[str, Any]:
    """Return lookups for rows whose ``field`` is ``value``, written as a range.

    A field that equals one value says nothing about the order of the rows, so that another index
    could have the same order. As a range it does, if the order begins with it.
    """
    return {f"{field}__gte": value, f"{field}__lte": value}
