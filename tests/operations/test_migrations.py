"""A deploy runs old and new code side by side, on large tables, while migrations are applied."""

import pytest
from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter

# The last migration of each app that was applied before Pave had rows to lock, and old code to
# break. Not to be raised again: what comes after runs while Pave is at work.
FIRST_RELEASE = {
    "api": "0001_initial",
    "clients": "0002_limits",
    "merchants": "0003_staff_pages",
    "operations": "0004_staff_pages",
    "staff": "0002_roles",
    "webhooks": "0002_staff_pages",
}

pytestmark = pytest.mark.django_db


def later_migrations():
    return [
        migration
        for (app, name), migration in sorted(MigrationLoader(connection).disk_migrations.items())
        if app in FIRST_RELEASE and name > FIRST_RELEASE[app]
    ]


def test_migrations_break_no_code_that_is_still_running(settings):
    linter = MigrationLinter(
        path=str(settings.BASE_DIR),
        include_apps=list(FIRST_RELEASE),
        no_cache=True,
        no_output=True,
        warnings_as_errors_tests=["CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE"],
    )
    found = {
        f"{one.app_label}.{one.name}": linter.analyse_sql_statements(one)
        if hasattr(linter, "analyse_sql_statements")
        else None
        for one in later_migrations()
    }
    assert not found


def test_indexes_are_made_while_rows_are_written():
    exclusive = (migrations.AddIndex, migrations.RemoveIndex)
    wrong = [
        f"{migration}: {operation.describe()}"
        for migration in later_migrations()
        for operation in migration.operations
        # AddIndexConcurrently and its like are subclasses.
        if type(operation) in exclusive
    ]
    assert not wrong, "use django.contrib.postgres.operations, with atomic = False"
