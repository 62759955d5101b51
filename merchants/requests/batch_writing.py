"""The rows of a batch, written in bulk.

On PostgreSQL by COPY, which takes a third of the time that ``bulk_create`` does: most of that goes
into model instances and SQL text.
"""

import io
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from merchants.models import SENT_FIELDS, Batch, NormalizationRequest
from pave.core.ids import new_id

_Status = NormalizationRequest.Status
# What stands for a field that a row of input does not have, as with the model.
_MISSING = {
    name: "\\N" if NormalizationRequest._meta.get_field(name).null else "" for name in SENT_FIELDS
}
_COLUMNS = (
    "id",
    *SENT_FIELDS,
    "metadata",
    "row",
    "client_id",
    "batch_id",
    "status",
    "error",
    "created_at",
)
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

# A row's place in the input, and the model's fields.
Numbered = tuple[int, dict[str, Any]]


def write(rows: Sequence[Numbered], *, batch: Batch, now: datetime) -> None:
    """Write queued requests, in the order of ``rows``."""
    if connection.vendor == "postgresql":
        _copy(rows, batch, now)
    else:
        NormalizationRequest.objects.bulk_create(
            NormalizationRequest(
                client_id=batch.client_id, batch_id=batch.pk, row=number, created_at=now, **fields
            )
            for number, fields in rows
        )


def _copy(rows: Sequence[Numbered], batch: Batch, now: datetime) -> None:
    same = f"{batch.client_id}\t{batch.pk}\t{_Status.QUEUED.value}\t\t{now.isoformat()}\n"
    lines = []
    for number, fields in rows:
        get = fields.get
        sent = "\t".join(
            [
                str(value).translate(_ESCAPES) if (value := get(name)) else missing
                for name, missing in _MISSING.items()
            ]
        )
        pairs = get("metadata")
        metadata = json.dumps(pairs).translate(_ESCAPES) if pairs else "\\N"
        lines.append(f"{new_id()}\t{sent}\t{metadata}\t{number}\t{same}")
    table = connection.ops.quote_name(NormalizationRequest._meta.db_table)
    names = ", ".join(connection.ops.quote_name(name) for name in _COLUMNS)
    # The driver's own call: without this its errors are not Django's, and a lost connection is 500.
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN", io.StringIO("".join(lines)))
