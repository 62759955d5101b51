"""Fixtures that start Pave as real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import Servers
from tests.system.databases import Databases
from tests.system.stack import ROOT, Stack
from webhooks.receiver.application import Receiver


@pytest.fixture(scope="session")
def databases(servers: Servers) -> Iterator[Databases]:
    """Makes databases with Pave's tables."""

    def migrate(url: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            check=True,
        )

    made = Databases(os.environ["DATABASE_URL"], servers.folder, migrate, servers.template)
    yield made
    made.drop_template()


@pytest.fixture
def stack(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Stack]:
    """A web server and room for a cluster; settings come from ``@pytest.mark.stack(NAME=...)``.

    The log of each process is shown with a test that fails.
    """
    marker = request.node.get_closest_marker("stack")
    database = databases.make()
    stack = Stack(
        tmp_path, database, os.environ["REDIS_URL"], environ=marker.kwargs if marker else {}
    )
    with running(stack):
        yield stack


@contextmanager
def running(stack: Stack) -> Iterator[None]:
    """Start a stack's web server; at the end stop all of it, and drop its database."""
    try:
        stack.start_web()
        yield
    finally:
        try:
            stack.stop()
        finally:
            print(stack.logs())  # noqa: T201 - pytest shows it with a failure
            stack.database.drop()


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    """A webhook endpoint; what comes is verified by the test, which knows the secret later."""
    with Receiver() as started:
        yield started


@pytest.fixture
def key(stack: Stack) -> str:
    """The API key of client 1234."""
    return json.loads(stack.manage("create_client", "1234", "--json"))["api_key"]
