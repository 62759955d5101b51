"""Indexes that are made and dropped while rows are written; for migrations of large tables.

PostgreSQL's way, in a migration with ``atomic = False``. Django's own operations know nothing of
other databases; SQLite, which locks the file for as long as it takes, is given the usual statement.
"""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db.migrations.operations import AddIndex, RemoveIndex


class _Aside:
    """Does what comes after it among the bases on PostgreSQL, and as ``plain`` does elsewhere."""

    plain: Any

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)  # type: ignore[misc]
        else:
            self.plain.database_forwards(self, app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, *states)  # type: ignore[misc]
        else:
            self.plain.database_backwards(self, app_label, schema_editor, *states)


class AddIndexAside(_Aside, AddIndexConcurrently):
    """Make an index and lock nobody out."""

    plain = AddIndex


class RemoveIndexAside(_Aside, RemoveIndexConcurrently):
    """Drop an index and lock nobody out."""

    plain = RemoveIndex
