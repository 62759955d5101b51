"""Pave as real processes: web server, cluster and receiver, beside the test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psutil
import redis
import requests

from tests.system.databases import Database

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
STOP_SECONDS = 30

Value = TypeVar("Value")


class Stack:
    """The processes of one test, on a database of its own.

    Args:
        folder: Where logs go.
        database: Whose tables are there already.
        redis_url: Redis of the test run; "" for the cache in the database.
        environ: Settings of the processes.
        redis_number: Which of Redis' databases is theirs, counted from the test run's own; those
            who run at the same time have other ones, as the same ids are other rows there.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        redis_url: str,
        environ: Mapping[str, str],
        *,
        redis_number: int = 1,
    ) -> None:
        self.folder = folder
        self.database = database
        self.runs_file = folder / "runs"
        redis_url = _numbered(redis_url, redis_number) if redis_url else ""
        if redis_url:
            _forget_everything(redis_url)
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PAVE_")},
            "DATABASE_URL": database.url,
            "REDIS_URL": redis_url,
            "DEBUG": "true",
            "PAVE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "PAVE_TEST_RUNS": str(self.runs_file),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore:No directory at:UserWarning",
            **environ,
        }
        self.web_url = ""
        self._processes: list[subprocess.Popen[bytes]] = []
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy of the environment's comes between
        # A connection that was idle for as long as the server keeps it may close under a post.
        self._session.headers["Connection"] = "close"

    # --- Processes ----------------------------------------------------------------------------

    def start_web(self, environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start gunicorn on a free port, wait until it answers, and return it.

        Args:
            environ: Settings that it has beside those of all.
        """
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
            self.web_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            number = listening.fileno()
            web = self.start(
                "web", "-m", "gunicorn", "-c", "python:pave.gunicorn", f"--bind=fd://{number}",
                "pave.wsgi",
                pass_fds=[number], environ=environ,
            )  # fmt: skip
        self.wait_for(self._web_answers, START_SECONDS)
        self._web = psutil.Process(web.pid)
        return web

    def web_workers(self) -> list[psutil.Process]:
        """Return the processes that answer, of the web server that was started last."""
        return self._web.children()

    def processes(self) -> list[psutil.Process]:
        """Return the processes that were started and have not ended."""
        running = [process for process in self._processes if process.poll() is None]
        return [psutil.Process(process.pid) for process in running]

    def start_cluster(self) -> subprocess.Popen[bytes]:
        """Start ``manage.py qcluster``."""
        return self.start("cluster", "manage.py", "qcluster")

    def start(
        self,
        name: str,
        *arguments: str,
        pass_fds: list[int] | None = None,
        environ: Mapping[str, str] | None = None,
        root: Path = ROOT,
    ) -> subprocess.Popen[bytes]:
        """Start Python with ``arguments``, as the leader of a process group.

        Args:
            name: Of its log.
            arguments: Python's.
            pass_fds: Files that it inherits.
            environ: Settings that it has beside those of all.
            root: Where it runs.
        """
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=root,
                env={**self.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds or [],
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """Stop every process; one that does not end by itself is killed, and that is an error."""
        family = [
            relative
            for process in self._processes
            if process.poll() is None
            for relative in psutil.Process(process.pid).children(recursive=True)
        ]
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        late = []
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                late.append(process.args)
                process.kill()
                process.wait()
        _, left = psutil.wait_procs(family, timeout=2)
        for relative in left:
            relative.kill()
        assert not late, f"did not end in {STOP_SECONDS} s: {late}"
        assert not left, f"left behind: {left}"

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py to its end and return what it prints."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environ,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout

    def workers(self, cluster: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """Return the heuristic's worker processes: those that are niced."""
        return [
            process
            for process in psutil.Process(cluster.pid).children(recursive=True)
            if process.nice() == 19
        ]

    def logs(self) -> str:
        """Return what the processes wrote."""
        return "".join(
            f"\n--- {log.name} ---\n{log.read_text(errors='replace')}"
            for log in sorted(self.folder.glob("*.log"))
        )

    # --- Use ----------------------------------------------------------------------------------

    @cached_property
    def key(self) -> str:
        """The API key of client 1234, which is made for the first who asks."""
        return json.loads(self.manage("create_client", "1234", "--json"))["api_key"]

    def create_client(self, client_id: str, webhook_url: str) -> dict[str, Any]:
        """Make a client with a webhook, as ``create_client --json`` gives it."""
        made = self.manage("create_client", client_id, "--webhook-url", webhook_url, "--json")
        return json.loads(made)

    def post(self, key: str, description: str, **fields: Any) -> str:
        """Post a transaction to the seed's route and return its request_id."""
        response = self._session.post(
            f"{self.web_url}/normalize_merchant",
            json={"description": description, **fields},
            headers={"Authorization": f"Api-Key {key}"},
            timeout=20,
        )
        assert response.status_code == 202, response.text
        return response.json()["request_id"]

    def get(self, key: str, request_id: str) -> dict[str, Any]:
        """Return a normalization as the API gives it."""
        response = self._session.get(
            f"{self.web_url}/v1/normalizations/{request_id}",
            headers={"Authorization": f"Api-Key {key}"},
            timeout=20,
        )
        assert response.status_code == 200, response.text
        return response.json()

    def hasten(self) -> None:
        """Take away the pauses before further attempts of the heuristic."""
        # One by one: workers lock these rows in an order of their own.
        for (pk,) in self.database.rows("SELECT id FROM merchants_waiter"):
            self.database.rows(
                "UPDATE merchants_waiter SET due_at = CURRENT_TIMESTAMP WHERE id = %s", pk
            )

    def end_leases(self) -> None:
        """Let the leases of what is being worked on end now, as time would."""
        for table in ("merchants_resolution", "webhooks_delivery"):
            self.database.rows(
                f"UPDATE {table} SET lease_expires_at = CURRENT_TIMESTAMP"  # noqa: S608 - ours
                " WHERE lease_expires_at IS NOT NULL"
            )
        self.database.rows("UPDATE merchants_admissionclaim SET created_at = '2020-01-01 00:00Z'")

    def runs(self) -> list[str]:
        """Return the description of each run of a heuristic of tests.system.heuristics."""
        return self.runs_file.read_text().splitlines() if self.runs_file.exists() else []

    def wait_for(self, look: Callable[[], Value], seconds: float) -> Value:
        """Call ``look`` until what it returns is true, and return that."""
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, f"{look} stayed {found!r} for {seconds} s"
            time.sleep(0.05)
        return found

    def _web_answers(self) -> bool:
        try:
            return self._session.get(f"{self.web_url}/readyz", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):  # the latter on a busy machine
            return False


def signal_group(process: subprocess.Popen[bytes], signum: signal.Signals) -> None:
    """Send a signal to a process and all of its group, as a terminal or a container does."""
    os.killpg(process.pid, signum)


def _numbered(redis_url: str, further: int) -> str:
    """Return the URL of a Redis database after the test run's own, whose cache it is."""
    parts = urlsplit(redis_url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}?db={further}"
    number = int(parts.path.strip("/") or 0)
    return urlunsplit(parts._replace(path=f"/{(number + further) % 16}"))


def _forget_everything(redis_url: str) -> None:
    """Drop what an earlier test's Pave has cached: the same ids mean other rows now."""
    with redis.Redis.from_url(redis_url) as connection:
        for key in connection.scan_iter("pave:*"):
            connection.delete(key)
