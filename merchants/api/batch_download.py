"""The results of a batch, as a stream, in the order of its input."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from merchants.models import Batch, NormalizationRequest
from merchants.requests.events import describe

# Rows read and sent at a time.
_CHUNK_ROWS = 250
_PLACE = ("city", "region", "country", "postal_code", "address", "store_number", "phone")
# The reading of a transaction's text, and further facts about its merchant.
READ_COLUMNS = (
    "category_primary",
    "logo_url",
    "kind",
    "channel",
    *_PLACE,
    "counterparties",
)
COLUMNS = (
    "row",
    "request_id",
    "status",
    "reference",
    "description",
    "merchant",
    "merchant_id",
    "website",
    "mcc",
    "category",
    "confidence",
    "method",
    "intermediary",
    "error",
    *READ_COLUMNS,
    "metadata",
)
# What is not seen: Unicode's Default_Ignorable_Code_Point, and the blank pattern of Braille.
_UNSEEN = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-"
    r"\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
)
# Where a spreadsheet may begin a cell whose first sign makes it a formula (OWASP, CSV injection):
# at the beginning, and where it splits at other signs than the comma, as Excel in Europe does.
_FORMULA = re.compile(
    rf"\A(?=[\t\r\n])|(?:\A|(?<=[;\t\r\n]))(?=[\"{_UNSEEN}]*[=+\-@＝＋－＠﹢﹣﹦﹫])"
)

# Where some readers of lines, such as Python's, end one; JSON need not escape them.
_ONE_LINE = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


def as_ndjson(batch: Batch) -> Iterator[bytes]:
    """Yield one normalization per line, with its position in the batch's input as ``row``."""
    for chunk in _chunks(batch):
        yield "".join(
            json.dumps({"row": request.row, **described}, ensure_ascii=False).translate(_ONE_LINE)
            + "\n"
            for request, described in chunk
        ).encode()


def as_csv(batch: Batch) -> Iterator[bytes]:
    """Yield CSV (RFC 4180) with a header; what looks like a formula gets a ' in front."""
    yield _csv([COLUMNS])
    for chunk in _chunks(batch):
        yield _csv(_cells(request, described) for request, described in chunk)


def read_cells(described: dict[str, Any]) -> list[str | None]:
    """Return the cells of ``READ_COLUMNS`` for a normalization."""
    merchant, location = described["merchant"] or {}, described["location"] or {}
    parties = [
        ":".join(filter(None, (party["type"], party["name"])))
        for party in described["counterparties"] or ()
        if party["type"] != "merchant"
    ]
    return [
        (merchant.get("category") or {}).get("primary"),
        merchant.get("logo_url"),
        described["kind"],
        described["channel"],
        *(location.get(name) for name in _PLACE),
        "; ".join(parties) or None,
    ]


def defused(cell: Any) -> Any:
    """Return a cell with a ' wherever a spreadsheet would begin a formula."""
    return _FORMULA.sub("'", cell) if isinstance(cell, str) else cell


def _chunks(batch: Batch) -> Iterator[list[tuple[NormalizationRequest, dict[str, Any]]]]:
    """Yield the batch's rows in pages, each by a query that begins after the last row.

    No transaction stays open while a client reads slowly, on any database.
    """
    after = 0
    while True:
        requests = list(
            NormalizationRequest.objects.filter(batch=batch, row__gt=after)
            .select_related("resolution")
            .order_by("row")[:_CHUNK_ROWS]
        )
        if not requests:
            return
        yield [(request, describe(request, request.resolution)) for request in requests]
        after = requests[-1].row or 0


def _cells(request: NormalizationRequest, described: dict[str, Any]) -> list[Any]:
    merchant = described["merchant"] or {}
    match = described["match"] or {}
    return [
        request.row,
        described["request_id"],
        described["status"],
        defused(described["transaction"]["reference"]),
        defused(described["transaction"]["description"]),
        defused(merchant.get("name")),
        merchant.get("id"),
        defused(merchant.get("website")),
        merchant.get("mcc"),
        (merchant.get("category") or {}).get("detailed"),
        match.get("confidence"),
        match.get("method"),
        defused(match.get("intermediary")),
        defused(described["error"]),
        *(defused(cell) for cell in read_cells(described)),
        defused(json.dumps(described["metadata"], ensure_ascii=False))
        if described["metadata"]
        else None,
    ]


def _csv(rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
