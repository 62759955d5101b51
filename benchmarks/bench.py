"""What every part of the benchmark stands on: servers, databases, Pave's processes."""

import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests
from cryptography.fernet import Fernet
from rich.progress import Progress

from tests.servers import Servers
from tests.system.databases import Database, Databases
from tests.system.stack import ROOT, START_SECONDS, Stack

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "127.0.0.1",
    "SILENCED_SYSTEM_CHECKS": "pave.E012",  # the receivers are on this machine
    "LOG_LEVEL": "WARNING",
}


class Bench:
    """The servers of one sitting.

    Args:
        progress: Where steps are shown.
        rounds: How often each variant is measured.
    """

    def __init__(self, progress: Progress, rounds: int) -> None:
        self.progress = progress
        self.rounds = rounds
        self.folder = Path(tempfile.mkdtemp(prefix="pave-bench-"))
        self._open_stacks = 0

    def __enter__(self) -> "Bench":
        self._servers = Servers()
        self.redis_url = os.environ["REDIS_URL"]
        self._databases = Databases(os.environ["DATABASE_URL"], self.folder, _migrate)
        return self

    def __exit__(self, *exception: object) -> None:
        self._databases.drop_template()
        self._servers.stop()

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Make a database with empty tables, gone at the end."""
        database = self._databases.make()
        try:
            yield database
        finally:
            database.drop()

    @contextmanager
    def stack(self, database: Database, **environ: str) -> Iterator[Stack]:
        """Make a stack of processes as in production; the caller starts what it needs of it."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        stack = Stack(folder, database, self.redis_url, PRODUCTION | environ)
        if self._open_stacks:
            # A cache of its own: the same ids are other rows in another database.
            url = stack.environ["REDIS_URL"]
            stack.environ["REDIS_URL"] = f"{url[:-1]}{int(url[-1]) + self._open_stacks}"
        self._open_stacks += 1
        try:
            yield stack
        except BaseException:
            sys.stderr.write(stack.logs()[-8000:])
            raise
        finally:
            self._open_stacks -= 1
            stack.stop()


def serve(stack: Stack, *arguments: str) -> tuple[str, subprocess.Popen[bytes]]:
    """Start a web server of another kind on a free port, and wait until it answers.

    Args:
        stack: Whose settings it gets.
        arguments: Of Python; ``{port}`` in them stands for the port.

    Returns:
        Its address and its process.
    """
    # Not handed over open: uvicorn would take it for another kind of socket, without TCP_NODELAY.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = stack.start("web", *(argument.format(port=port) for argument in arguments))
    url = f"http://127.0.0.1:{port}"
    stack.wait_for(lambda: _answers(url), START_SECONDS)
    return url, process


def _answers(url: str) -> bool:
    try:
        # 404 is an answer as well: the server is there.
        return requests.get(url, timeout=2).status_code > 0
    except (requests.ConnectionError, requests.Timeout):
        return False


def peak_memory_mb(pid: int) -> float:
    """Return the memory of a process and its descendants that is theirs alone, in MB."""
    total = 0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            total += process.memory_full_info().uss
        except psutil.Error:
            continue  # it has just ended
    return total / 1e6


def own_peak_memory_mb() -> float:
    """Return the largest memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT,
        env={**os.environ, **PRODUCTION, "DATABASE_URL": url},
        check=True,
    )
