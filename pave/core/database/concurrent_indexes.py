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
    """Create an index without blocking writes, however long it takes.

    One that was interrupted before has left an index that is not valid, which goes first.
    """

    plain = AddIndex

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        connection = schema_editor.connection
        if connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, *states)
            return
        name = connection.ops.quote_name(self.index.name)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
            cursor.execute(
                "SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [name]
            )
            if cursor.fetchone() is not None:
                cursor.execute(f"DROP INDEX CONCURRENTLY {name}")
            super().database_forwards(app_label, schema_editor, *states)
            cursor.execute("RESET statement_timeout; RESET lock_timeout")


class RemoveIndexAside(_Aside, RemoveIndexConcurrently):
    """Drop an index without blocking writes."""

    plain = RemoveIndex
