"""A deploy runs old and new code side by side, on large tables, while migrations are applied."""

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter

from merchants.models import NormalizationRequest
from pave.core.database.concurrent_indexes import AddIndexAside
from tests.servers import ON_SQLITE

# The last migration of each app that was applied before Pave had rows to lock, and old code to
# break. Not to be raised again: what comes after runs while Pave is at work.
FIRST_RELEASE = {
    "api": "0001_initial",
    "clients": "0002_limits",
    "merchants": "0004_batches_come_last",
    "operations": "0004_staff_pages",
    "staff": "0002_roles",
    "webhooks": "0002_staff_pages",
}
# Locks a table while rows are written to it: use AddIndexAside, with atomic = False.
ALSO_WRONG = ("CREATE_INDEX", "DROP_INDEX", "CREATE_INDEX_EXCLUSIVE")

# Indexes are made outside transactions.
pytestmark = pytest.mark.django_db(transaction=True)


def linted(migrations):
    """Return the linter after it has looked at ``migrations``; it prints what is wrong."""
    linter = MigrationLinter(
        path=str(settings.BASE_DIR), no_cache=True, warnings_as_errors_tests=ALSO_WRONG
    )
    for migration in migrations:
        linter.lint_migration(migration)
    return linter


def test_migrations_break_no_code_that_is_still_running_and_lock_no_table_for_long():
    later = [
        migration
        for (app, name), migration in sorted(MigrationLoader(connection).disk_migrations.items())
        if app in FIRST_RELEASE and name > FIRST_RELEASE[app]
    ]
    assert not linted(later).has_errors


@pytest.mark.skipif(ON_SQLITE, reason="it has no concurrent index")
def test_an_index_whose_creation_was_interrupted_is_made_anew():
    name = "request_of_batch_newest"
    [index] = [index for index in NormalizationRequest._meta.indexes if index.name == name]
    state = MigrationLoader(connection).project_state()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [name]
        )
        cursor.execute("SET statement_timeout = '15s'")
        with connection.schema_editor(atomic=False) as editor:
            AddIndexAside("normalizationrequest", index).database_forwards(
                "merchants", editor, state, state
            )
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = %s::regclass", [name])
        assert cursor.fetchone() == (True,)
        cursor.execute("RESET statement_timeout")


def test_the_linter_would_see_it():
    migrations = MigrationLoader(connection).disk_migrations
    [locking] = [one for key, one in migrations.items() if key == ("merchants", "0002_batches")]
    assert linted([locking]).has_errors
