"""All of Pave as it runs in production, in one place, with handles on each of its processes."""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psutil
import psycopg2
import requests
from cryptography.fernet import Fernet

from benchmarks.chaos.mail_server import MailServer
from benchmarks.chaos.receiver import Endpoint
from benchmarks.chaos.servers import FragileServers
from tests.system.databases import Database, Databases
from tests.system.fake_clock import FakeClock
from tests.system.stack import ROOT, Stack

CLIENTS = ("acme", "bolt", "coda")
ENVIRON = {
    "DEBUG": "false",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "ALLOWED_HOSTS": "127.0.0.1",
    "SILENCED_SYSTEM_CHECKS": "pave.E012",  # the receivers are on this machine
    "LOG_LEVEL": "INFO",
    "PAVE_HEURISTIC": "benchmarks.chaos.heuristic.ChaosHeuristic",
    "PAVE_HEURISTIC_TIMEOUT": "3",
    "PAVE_WORKERS": "2",
    "PAVE_WEBHOOK_TIMEOUT": "2",
    # Long enough in all for any time that the endpoint is out of order.
    "PAVE_WEBHOOK_RETRY_SCHEDULE": ",".join(["1", "1", "2", "3", "5"] + ["8"] * 40),
    "PAVE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
}


class Plant:
    """Web server, two supervisors, their servers, and the clients' endpoint.

    Args:
        broker: PAVE_BROKER.
        supervisors: How many ``qcluster`` there are. With one, nobody covers for what is broken.
    """

    def __init__(self, broker: str, supervisors: int) -> None:
        self.supervisors = [f"number-{number + 1}" for number in range(supervisors)]
        self.servers = FragileServers()
        self.broker = broker
        self.keys: dict[str, str] = {}
        self.webhooks: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        # Statuses of what faults asked of the API.
        self.statuses: list[int] = []
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}
        self._watch = threading.Event()

    def __enter__(self) -> "Plant":
        try:
            self._start()
        except BaseException:
            self.servers.stop()
            raise
        return self

    def _start(self) -> None:
        databases = Databases(self.servers.database_url, self.servers.folder, _migrate)
        self.database: Database = databases.make()
        self.servers.database_url = self.database.url
        databases.drop_template()
        folder = self.servers.folder / "logs"
        folder.mkdir()
        self.endpoint = Endpoint(self.servers.folder)
        self.mail_server = MailServer()
        self.mail_server.start()
        environ = {**ENVIRON, "PAVE_BROKER": self.broker, "EMAIL_URL": self.mail_server.url}
        self.stack = Stack(folder, self.database, self.servers.redis.url, environ)
        self.stack.environ["REDIS_URL"] = self.servers.redis.url
        self.clock = FakeClock(folder / "clock")
        self.stack.start_web()
        for client_id in CLIENTS:
            made = self.stack.create_client(client_id, self.endpoint.url(client_id))
            self.keys[client_id] = made["api_key"]
            self.webhooks[client_id] = made["webhook"]["id"]
            self.secrets[client_id] = made["webhook"]["secret"]
        self.endpoint.know(self.secrets)
        self.rows("UPDATE clients_client SET contact_email = 'ops@client.example'")
        for name in self.supervisors:
            self.start_supervisor(name)
        self._restarter = threading.Thread(target=self._restart_dead, daemon=True)
        self._restarter.start()

    def __exit__(self, *exception: object) -> None:
        self._watch.set()
        self.endpoint.stop()
        try:
            self.stack.stop()
        finally:
            self.servers.stop()

    # --- Processes ----------------------------------------------------------------------------

    def start_supervisor(self, name: str) -> None:
        """Start ``manage.py qcluster``; on the last machine by a clock that can be set."""
        environ = self.clock.environ if name == self.supervisors[-1] else {}
        self._supervisors[name] = self.stack.start(
            f"cluster-{name}", "manage.py", "qcluster", environ=environ
        )

    def supervisor(self, name: str) -> subprocess.Popen[bytes]:
        """Return the process of a supervisor."""
        return self._supervisors[name]

    def clusters(self) -> dict[tuple[str, str], psutil.Process]:
        """Return the cluster processes by supervisor and queue."""
        found = {}
        for name, process in self._supervisors.items():
            for child in _children(process.pid):
                if child.name() in ("pave-quick", "pave-heuristic"):
                    found[name, child.name().removeprefix("pave-")] = child
        return found

    def parts(self, cluster: psutil.Process, kind: str) -> list[psutil.Process]:
        """Return the workers, the pusher or the monitor of a cluster."""
        return [child for child in _children(cluster.pid) if child.name() == f"pave-{kind}"]

    def web_workers(self) -> list[psutil.Process]:
        """Return the web server's worker processes."""
        return _children(self.web.pid)

    @property
    def web(self) -> subprocess.Popen[bytes]:
        """The web server's main process."""
        return self.stack._processes[0]

    def workers(self) -> Iterator[psutil.Process]:
        """Yield the workers of all clusters."""
        for cluster in self.clusters().values():
            yield from self.parts(cluster, "worker")

    def claimed_by(self) -> set[int]:
        """Return the process ids that stand in claimed rows."""
        rows = self.database.rows(
            "SELECT claimed_by FROM merchants_resolution WHERE status = 'running'"
            " UNION SELECT claimed_by FROM webhooks_delivery WHERE status = 'delivering'"
        )
        return {int(claimed_by.split("/")[2]) for (claimed_by,) in rows if claimed_by}

    def _restart_dead(self) -> None:
        """Start supervisors that have ended anew, as systemd or Kubernetes would."""
        while not self._watch.wait(1):
            for name, process in list(self._supervisors.items()):
                if process.poll() is not None:
                    self.start_supervisor(name)

    # --- Use ----------------------------------------------------------------------------------

    def rows(self, sql: str, *parameters: Any, seconds: float = 30) -> Sequence[tuple[Any, ...]]:
        """Run a statement, waiting for a database that is away."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self.database.rows(sql, *parameters)
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def session(self) -> requests.Session:
        """Return an HTTP session that no proxy of the environment's comes between."""
        session = requests.Session()
        session.trust_env = False
        return session

    def hasten(self) -> None:
        """Make every attempt that waits for its time due now, mails too."""
        self.rows(
            "UPDATE webhooks_webhook SET contact_due_at = now(), contact_notified_at = NULL"
            " WHERE contact_due_at IS NOT NULL"
        )
        self.rows("UPDATE merchants_waiter SET due_at = now() WHERE due_at > now()")
        self.rows(
            "UPDATE webhooks_delivery SET next_attempt_at = now()"
            " WHERE status = 'pending' AND next_attempt_at > now()"
        )

    def call(self, client_id: str, method: str, route: str, body: dict[str, Any]) -> int:
        """Call the API as a client; return the status, 0 if there was no answer."""
        try:
            response = self.session().request(
                method,
                f"{self.stack.web_url}/v1/{route}",
                json=body,
                headers={"Authorization": f"Api-Key {self.keys[client_id]}"},
                timeout=15,
            )
        except requests.RequestException:
            return 0
        self.statuses.append(response.status_code)
        return response.status_code

    def calm(self) -> None:
        """Let the endpoint answer well, and be trusted again; enable what 410 has disabled."""
        self.endpoint.behave("well")
        for client_id, webhook in self.webhooks.items():
            self.call(client_id, "PATCH", f"webhooks/{webhook}", {"enabled": True})
        self.rows("UPDATE webhooks_webhook SET paused_until = NULL WHERE paused_until > now()")

    def stop_clusters(self) -> list[psutil.Process]:
        """End the supervisors as a deploy does; return whatever is left, also of earlier ones."""
        self._watch.set()
        self._restarter.join()
        for process in self._supervisors.values():
            process.send_signal(signal.SIGTERM)
        for process in self._supervisors.values():
            process.wait(60)
        _, left = psutil.wait_procs([*self._cluster_processes()], timeout=15)
        return left

    def _cluster_processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("DATABASE_URL") == self.database.url
                if ours and "pave.operations.cluster" in process.cmdline():
                    process.send_signal(signal.SIGCONT)  # no fault of its own, if it was frozen
                    yield process
            except psutil.Error:
                continue  # it has just ended


def _children(pid: int, *, recursive: bool = False) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=recursive)
    except psutil.Error:
        return []


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT,
        env={**os.environ, **ENVIRON, "DATABASE_URL": url, "REDIS_URL": ""},
        check=True,
    )
