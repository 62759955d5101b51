"""Batches in the three forms, for tests."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
MEDIA_TYPES = [JSON, NDJSON, CSV]
Row = dict[str, Any]
ROWS = [
    {"description": "NETFLIX.COM 1", "amount": "12.99", "currency": "USD", "reference": "a"},
    {"description": "SPOTIFY 2", "date": "2026-11-20", "mcc": "5815", "country": "SE"},
    {"description": "NETFLIX.COM 3", "city": "Oakland", "reference": "c"},
]


def encoded(rows: Sequence[Row], media_type: str) -> bytes:
    """Return rows as the body of a batch."""
    if media_type == JSON:
        return json.dumps({"transactions": rows}).encode()
    if media_type == NDJSON:
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    text = io.StringIO(newline="")
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def post(
    api: Any, rows: Sequence[Row], media_type: str = NDJSON, *, query: str = "", **headers: str
) -> Any:
    """Send rows as a batch."""
    body = encoded(rows, media_type)
    return api.post(f"/v1/batches{query}", body, content_type=media_type, headers=headers)
