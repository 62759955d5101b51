"""Counts of tables that may be too large to be counted."""

import json
from typing import Any

from django.db import connections
from django.db.models import QuerySet

# So many rows are counted.
EXACT = 10_000


def approximate_count(rows: QuerySet[Any]) -> int:
    """Return how many rows there are: of more than ``EXACT``, what PostgreSQL estimates."""
    rows = rows.order_by()
    counted = rows[: EXACT + 1].count()
    if counted <= EXACT:
        return counted
    if connections[rows.db].vendor != "postgresql":
        return rows.count()
    [explained] = json.loads(rows.explain(format="json"))
    return max(counted, int(explained["Plan"]["Plan Rows"]))
