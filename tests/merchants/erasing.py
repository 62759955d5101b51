"""Erasing a client, and all that the database holds then."""

import io

from django.apps import apps
from django.core.management import call_command
from django.db import connection


def erase(client_id: str) -> str:
    """Run the command; return what it prints."""
    output = io.StringIO()
    call_command("erase_client", client_id, "--yes", stdout=output)
    return output.getvalue()


def everything_stored() -> str:
    """Return the text of every row of every table."""
    text = []
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')  # noqa: S608 - names of our own tables
            for row in cursor.fetchall():
                text += [
                    bytes(value).decode("latin-1") if isinstance(value, memoryview) else str(value)
                    for value in row
                ]
    return "\n".join(text)
