"""Databases for system tests: one for each, made from a template that is migrated once."""

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg2

Row = tuple[Any, ...]


class Database(Protocol):
    """A database of its own for the processes of one test."""

    url: str

    def rows(self, sql: str, *parameters: Any) -> Sequence[Row]:
        """Run a statement and return its rows; it sees what the processes have committed."""

    def drop(self) -> None:
        """Remove the database."""


class PostgresDatabase:
    """A database on the PostgreSQL of the test run."""

    def __init__(self, server_url: str, name: str, template: str = "template1") -> None:
        self._server_url = server_url
        self._name = name
        self.url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
        _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def rows(self, sql: str, *parameters: Any) -> Sequence[Row]:
        return _execute(self.url, sql, *parameters)

    def drop(self) -> None:
        _execute(self._server_url, f'DROP DATABASE "{self._name}" WITH (FORCE)')


class SQLiteDatabase:
    """A file of its own."""

    def __init__(self, path: Path, template: Path | None = None) -> None:
        self._path = path
        self.url = f"sqlite:///{path}"
        if template is not None:
            shutil.copy(template, path)

    def rows(self, sql: str, *parameters: Any) -> Sequence[Row]:
        connection = sqlite3.connect(self._path, timeout=20)
        try:
            with connection:
                return connection.execute(sql.replace("%s", "?"), parameters).fetchall()
        finally:
            connection.close()

    def drop(self) -> None:
        """Nothing: the folder goes at the end of the run."""


class Databases:
    """Makes databases like that of the test run.

    Args:
        url: The test run's DATABASE_URL.
        folder: Where files may be kept.
        migrate: Makes the tables in the database whose URL it is given.
        template: A database of PostgreSQL's that has them already.
    """

    def __init__(
        self, url: str, folder: Path, migrate: Callable[[str], None], template: str | None = None
    ) -> None:
        self._url = url
        self._folder = folder
        self._on_sqlite = url.startswith("sqlite")
        self._template_name = _new_name()
        self._template = self._make(self._template_name, template or "")
        if template is None:
            migrate(self._template.url)

    def make(self) -> Database:
        """Return a new database with empty tables."""
        return self._make(_new_name(), self._template_name)

    def drop_template(self) -> None:
        """Remove what the databases were made from."""
        self._template.drop()

    def _make(self, name: str, template: str = "") -> Database:
        if self._on_sqlite:
            file = self._folder / f"{template}.sqlite3" if template else None
            return SQLiteDatabase(self._folder / f"{name}.sqlite3", file)
        return PostgresDatabase(self._url, name, template or "template1")


def _new_name() -> str:
    return f"pave_system_{uuid4().hex[:12]}"


def _execute(url: str, sql: str, *parameters: Any) -> Sequence[Row]:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
