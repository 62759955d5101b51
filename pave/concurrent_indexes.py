"""Indexes that are made and dropped while rows are written; for migrations of large tables.

PostgreSQL's way, in a migration with ``atomic = False``. Django's own operations know nothing of
other databases; SQLite, which locks the file for as long as it takes, is given the usual statement.
"""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db.migrations.operations import AddIndex, RemoveIndex


class AddIndexAside(AddIndexConcurrently):
    """Make an index and lock nobody out."""

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Make it."""
        _either(AddIndexConcurrently, AddIndex, schema_editor).database_forwards(
            self, app_label, schema_editor, *states
        )

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Drop it."""
        _either(AddIndexConcurrently, AddIndex, schema_editor).database_backwards(
            self, app_label, schema_editor, *states
        )


class RemoveIndexAside(RemoveIndexConcurrently):
    """Drop an index and lock nobody out."""

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Drop it."""
        _either(RemoveIndexConcurrently, RemoveIndex, schema_editor).database_forwards(
            self, app_label, schema_editor, *states
        )

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        """Make it."""
        _either(RemoveIndexConcurrently, RemoveIndex, schema_editor).database_backwards(
            self, app_label, schema_editor, *states
        )


def _either(aside: Any, plain: Any, schema_editor: Any) -> Any:
    return aside if schema_editor.connection.vendor == "postgresql" else plain
