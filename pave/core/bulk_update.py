"""Writing many rows at once, each with its own values."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import CharField, Model, TextField

# Values in one statement; SQLite takes no more than 32,766.
_MOST = 30_000


def update_each(rows: Sequence[Model], fields: Sequence[str]) -> None:
    """Write some fields of rows of one model, in one statement, or few for very many rows.

    Django's ``bulk_update`` asks a CASE for each field and row, and is what a batch of work would
    spend most of its time in.

    Args:
        rows: What to write; those that are not in the table are passed over.
        fields: Names of fields.
    """
    if not rows:
        return
    options = rows[0]._meta
    columns: list[Any] = [options.pk, *(options.get_field(name) for name in fields)]
    at_once = _MOST // len(columns)
    for start in range(0, len(rows), at_once):
        _update(rows[start : start + at_once], columns, options.db_table)


def _update(rows: Sequence[Model], columns: Sequence[Any], table: str) -> None:
    key, *others = columns
    quoted = connection.ops.quote_name
    row = f"({', '.join(['%s'] * len(columns))})"
    new = ", ".join(
        f"{quoted(field.column)} = {_typed(field, f'new.column{number}')}"
        for number, field in enumerate(others, start=2)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quoted(table)} SET {new} "  # noqa: S608 - names of our own models
            f"FROM (VALUES {', '.join([row] * len(rows))}) AS new "
            f"WHERE {quoted(table)}.{quoted(key.column)} = {_typed(key, 'new.column1')}",
            [
                field.get_db_prep_save(getattr(one, field.attname), connection)
                for one in rows
                for field in columns
            ],
        )


def _typed(field: Any, value: str) -> str:
    """Say of which type a column of values is: PostgreSQL takes one of NULLs alone for texts.

    Texts need no saying, and a cast to a length would cut them off without a word.
    """
    if connection.vendor != "postgresql" or isinstance(field, CharField | TextField):
        return value
    return f"{value}::{field.cast_db_type(connection)}"
