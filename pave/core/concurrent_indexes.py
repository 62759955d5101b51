"""Creates and drops indexes while rows are written; for migrations of large tables.

This needs PostgreSQL and a migration with ``atomic = False``. Django's own operations support no
other database; on SQLite, which locks the file anyway, the plain statement is used.
"""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db.migrations.operations import AddIndex, RemoveIndex


class _Aside:
    """Runs the next base class's operation on PostgreSQL, and ``plain`` elsewhere."""

    plain: Any

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, *states)  # type: ignore[misc]  # a mixin of migrations' operations
        else:
            self.plain.database_forwards(self, app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, *states)  # type: ignore[misc]  # a mixin of migrations' operations
        else:
            self.plain.database_backwards(self, app_label, schema_editor, *states)


class AddIndexAside(_Aside, AddIndexConcurrently):
    """Create an index without blocking writes."""

    plain = AddIndex


class RemoveIndexAside(_Aside, RemoveIndexConcurrently):
    """Drop an index without blocking writes."""

    plain = RemoveIndex
