"""Counts of tables that may be too large to be counted."""

import json
from typing import Any

from django.db import connections
from django.db.models import QuerySet

# If so many are expected at most, they are counted.
EXACT = 10_000


def approximate_count(rows: QuerySet[Any]) -> int:
    """Return how many rows there are: if PostgreSQL expects more than ``EXACT``, its estimate."""
    rows = rows.order_by()
    if connections[rows.db].vendor == "postgresql":
        plans = json.loads(rows.explain(format="json") or "[]")  # none where none can match
        expected = sum(int(each["Plan"]["Plan Rows"]) for each in plans)
        if expected > EXACT:
            return expected
    return rows.count()
