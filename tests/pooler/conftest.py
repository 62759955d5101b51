"""PgBouncer between Pave and PostgreSQL.

Only `make test-pooler` collects these tests: they need PgBouncer.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.system.conftest import databases, running
from tests.system.databases import Databases
from tests.system.stack import Stack

__all__ = ["databases"]

collect_ignore_glob = [] if os.environ.get("PAVE_TEST_POOLER") else ["test_*.py"]

# Fewer than there are threads and processes: they have to share, in transaction mode.
CONNECTIONS = 5
# As many as docs/scaling.md counts for a web server and a cluster.
SESSIONS = 100
# PgBouncer replaces its connections to PostgreSQL after an hour, if nothing is said.
LIFETIME_SECONDS = 2
NOBODY = 65534


@contextmanager
def _pooler(database_url: str, folder: Path, mode: str, connections: int) -> Iterator[int]:
    """Run PgBouncer before a database, and give its port."""
    parts = urlsplit(database_url)
    host = parts.hostname or parse_qs(parts.query)["host"][0]
    port = f" port={parts.port}" if parts.port else ""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen_port = free.getsockname()[1]
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={host}{port} user={parts.username}\n"
        "[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\nauth_type = any\n"
        f"listen_port = {listen_port}\npool_mode = {mode}\n"
        f"default_pool_size = {connections}\nmax_client_conn = 500\n"
        f"server_lifetime = {LIFETIME_SECONDS}\n"
    )
    command = [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", str(config)]
    if os.geteuid() == 0:  # it refuses to run as root
        # Whose the socket is may open it.
        owner = Path(host).stat().st_uid if host.startswith("/") else 0
        command[1:1] = ["-u", pwd.getpwuid(owner or NOBODY).pw_name]
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", listen_port)):
            assert process.poll() is None, (folder / "pgbouncer.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        yield listen_port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def _pooled(
    databases: Databases, folder: Path, mode: str, connections: int, of_the_mode: dict[str, str]
) -> Iterator[Stack]:
    database = databases.make()
    parts = urlsplit(database.url)
    # This and the settings below: as docs/scaling.md has it.
    for name, value in (
        ("statement_timeout", "15s"),
        ("lock_timeout", "15s"),
        ("idle_in_transaction_session_timeout", "30s"),
    ):
        database.rows(f"ALTER DATABASE {parts.path[1:]} SET {name} = '{value}'")
    with _pooler(database.url, folder, mode, connections) as port:
        url = f"postgresql://{parts.username}:any@127.0.0.1:{port}{parts.path}"
        stack = Stack(
            folder,
            database,
            os.environ["REDIS_URL"],
            {
                "DATABASE_URL": f"{url}?DISABLE_SERVER_SIDE_CURSORS=True",
                "PAVE_STATEMENT_TIMEOUT": "0",
                **of_the_mode,
            },
        )
        with running(stack):
            yield stack


@pytest.fixture
def pooled(databases: Databases, tmp_path: Path) -> Iterator[Stack]:
    """Pave's processes, all of whose connections go through the pooler in transaction mode."""
    with _pooled(
        databases, tmp_path, "transaction", CONNECTIONS, {"PAVE_LISTEN": "false"}
    ) as stack:
        yield stack


@pytest.fixture
def pooled_by_session(databases: Databases, tmp_path: Path) -> Iterator[Stack]:
    """The same in session mode."""
    with _pooled(databases, tmp_path, "session", SESSIONS, {}) as stack:
        yield stack
