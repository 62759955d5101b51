"""Fixtures that start Pave as real processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
def stack(
    request: pytest.FixtureRequest,
    databases: Databases,
    shared_stack: Callable[[Mapping[str, str]], Stack],
    tmp_path: Path,
) -> Iterator[Stack]:
    """A web server and room for a cluster; settings come from ``@pytest.mark.stack(NAME=...)``.

    With ``shared=True`` among them other tests use it, too: a test leaves the web server as it is,
    and starts no cluster. The log of each process is shown with a test that fails.
    """
    marker = request.node.get_closest_marker("stack")
    settings = dict(marker.kwargs) if marker else {}
    if settings.pop("shared", False):
        stack = shared_stack(settings)
        try:
            yield stack
        finally:
            print(stack.logs())  # noqa: T201 - pytest shows it with a failure
        return
    stack = Stack(tmp_path, databases.make(), os.environ["REDIS_URL"], environ=settings)
    with running(stack):
        yield stack


@pytest.fixture(scope="session")
def shared_stack(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Mapping[str, str]], Stack]]:
    """Return the stack of these settings, which is started for the first test that asks."""
    stacks: dict[tuple[tuple[str, str], ...], Stack] = {}
    with ExitStack() as started:

        def shared(settings: Mapping[str, str]) -> Stack:
            key = tuple(sorted(settings.items()))
            if key not in stacks:
                folder = tmp_path_factory.mktemp("stack")
                stacks[key] = Stack(
                    folder,
                    databases.make(),
                    os.environ["REDIS_URL"],
                    environ=settings,
                    redis_number=2 + len(stacks),
                )
                started.enter_context(running(stacks[key]))
            return stacks[key]

        yield shared


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
    return stack.key
