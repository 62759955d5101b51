"""Counts of tables that may be too large to be counted."""

import json
from typing import Any

from django.db import connections
from django.db.models import QuerySet

# So many are counted; if there are more, PostgreSQL's estimate is good enough.
EXACT = 100_000


def approximate_count(rows: QuerySet[Any]) -> int:
    """Return how many rows there are; of more than ``EXACT``, what PostgreSQL estimates."""
    rows = rows.order_by()
    if connections[rows.db].vendor != "postgresql":
        return rows.count()
    counted = rows[: EXACT + 1].count()
    if counted <= EXACT:
        return counted
    plans = json.loads(rows.explain(format="json"))
    return max(counted, sum(int(each["Plan"]["Plan Rows"]) for each in plans))
