"""Updates many rows at once, each with its own values."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import CharField, Model, TextField

# Values in one statement; SQLite's limit is 32,766.
_MAX_VALUES = 30_000


def update_each(rows: Sequence[Model], fields: Sequence[str]) -> None:
    """Update some fields of rows of one model, in one statement (a few for very many rows).

    Django's ``bulk_update`` builds a CASE for each field and row, and would dominate the time of a
    batch.

    Args:
        rows: What to write; rows that are not in the table are skipped.
        fields: Names of the fields to write.
    """
    if not rows:
        return
    options = rows[0]._meta
    columns: list[Any] = [options.pk, *(options.get_field(name) for name in fields)]
    rows_per_statement = _MAX_VALUES // len(columns)
    for start in range(0, len(rows), rows_per_statement):
        _update(rows[start : start + rows_per_statement], columns, options.db_table)


def _update(rows: Sequence[Model], columns: Sequence[Any], table: str) -> None:
    key, *value_fields = columns
    quoted = connection.ops.quote_name
    row = f"({', '.join(['%s'] * len(columns))})"
    new = ", ".join(
        f"{quoted(field.column)} = {_cast(field, f'new.column{number}')}"
        for number, field in enumerate(value_fields, start=2)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quoted(table)} SET {new} "  # noqa: S608 - names of our own models
            f"FROM (VALUES {', '.join([row] * len(rows))}) AS new "
            f"WHERE {quoted(table)}.{quoted(key.column)} = {_cast(key, 'new.column1')}",
            [
                field.get_db_prep_save(getattr(instance, field.attname), connection)
                for instance in rows
                for field in columns
            ],
        )


def _cast(field: Any, value: str) -> str:
    """Cast a column of VALUES to the field's type: PostgreSQL takes a column of NULLs for text.

    Text needs no cast, and one to a length would truncate it silently.
    """
    if connection.vendor != "postgresql" or isinstance(field, CharField | TextField):
        return value
    return f"{value}::{field.cast_db_type(connection)}"
