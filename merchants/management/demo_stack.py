"""The demo: all of Pave on this machine, on its own SQLite file, with sample transactions.

Used by ``make demo`` and ``make run``; `merchants/management/commands/demo.py` prints it.
"""

import csv
import errno
import io
import json
import os
import queue
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db.models import Sum

from merchants.models import Resolution
from webhooks.receiver.application import Message, Receiver

CLIENT_ID = "1234"
SAMPLES = Path(__file__).parents[1] / "data" / "sample_transactions.csv"
START_SECONDS = 60.0


class DemoError(Exception):
    """The demo cannot continue; the message says why."""


def environment(database: Path) -> dict[str, str]:
    """Return the settings that the demo fixes, whatever the caller's environment."""
    return {
        "DATABASE_URL": f"sqlite:///{database}",
        "REDIS_URL": "",
        "PAVE_BROKER": "orm",
        "DEBUG": "true",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "PAVE_WEBHOOK_ALLOW_HTTP": "true",
        "PAVE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }


def samples() -> list[dict[str, str]]:
    """Return the sample transactions as the API takes them, each with a reference."""
    with SAMPLES.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [
        {"reference": f"sample-{number}", **{name: text for name, text in row.items() if text}}
        for number, row in enumerate(rows, 1)
    ]


@dataclass(frozen=True, slots=True)
class ReceivedWebhook:
    """A webhook that the demo's receiver got."""

    body: dict[str, Any]
    verified: bool
    # Since the post of its transaction; None if the demo did not post it.
    seconds: float | None

    @property
    def request_id(self) -> str:
        """The id of its request."""
        return str(self.body.get("request_id"))


class Demo:
    """Web server, cluster and receiver; a context manager that stops them.

    Args:
        port: The web server's.
        receiver_port: The receiver's; 0 for any free one.
        log: Where the processes write.

    Raises:
        DemoError: A port is taken.
    """

    def __init__(self, *, port: int, receiver_port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._web_socket = _listen(port)
        # Checked before anything is changed; the receiver starts later, with the secret.
        with _listen(receiver_port) as probe:
            self._receiver_port = int(probe.getsockname()[1])
        self._processes: list[subprocess.Popen[bytes]] = []
        self._receiver: Receiver | None = None
        self._arrived: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._posted_at: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def prepare(self) -> str:
        """Migrate the database and load the catalogue; return the import's output."""
        call_command("migrate", verbosity=0)
        output = io.StringIO()
        call_command("import_merchants", stdout=output)
        return output.getvalue().strip()

    def start(self) -> None:
        """Create client 1234 with its webhook, and start all processes.

        Raises:
            DemoError: The web server does not start.
        """
        output = io.StringIO()
        url = f"http://127.0.0.1:{self._receiver_port}/webhook"
        call_command("create_client", CLIENT_ID, webhook_url=url, json=True, stdout=output)
        client = json.loads(output.getvalue())
        self.api_key: str = client["api_key"]
        self._receiver = Receiver(
            secrets=[client["webhook"]["secret"]],
            on_message=lambda message, reply: self._arrived.put(message),
            port=self._receiver_port,
            keep=0,
        )
        self._receiver.start()
        self._run(
            "-m", "gunicorn", "-c", "python:pave.gunicorn", "--graceful-timeout=5",
            f"--bind=fd://{self._web_socket.fileno()}", "pave.wsgi",
            pass_fds=[self._web_socket.fileno()],
        )  # fmt: skip
        self._run("manage.py", "qcluster")
        self._wait_for_web()

    def post(self, transaction: dict[str, str]) -> str:
        """Post a transaction and return its request_id."""
        with _session() as session:
            response = session.post(
                f"{self.url}/v1/normalizations",
                json=transaction,
                headers={"Authorization": f"Api-Key {self.api_key}"},
                timeout=30,
            )
        if response.status_code != 202:
            raise DemoError(f"{transaction} was answered {response.status_code}: {response.text}")
        return str(response.json()["request_id"])

    def post_all(self, transactions: list[dict[str, str]]) -> dict[str, dict[str, str]]:
        """Post transactions one by one; return them by request_id."""
        posted = {}
        for transaction in transactions:
            self._posted_at[transaction["reference"]] = time.time()  # noqa: TID251 - as the receiver
            posted[self.post(transaction)] = transaction
        return posted

    def arrivals(self, *, until: float | None = None) -> Iterator[ReceivedWebhook]:
        """Yield webhooks as they arrive.

        Args:
            until: When to give up, on the monotonic clock; None for never.

        Raises:
            DemoError: A process has ended.
        """
        while until is None or time.monotonic() < until:
            try:
                message = self._arrived.get(timeout=0.5)
            except queue.Empty:
                self._check_processes()
                continue
            body = message.json if message.verified else {}  # what others send is not looked at
            reference = body.get("data", {}).get("transaction", {}).get("reference")
            posted_at = self._posted_at.get(reference)
            yield ReceivedWebhook(
                body=body,
                verified=bool(message.verified),
                seconds=message.received_at.timestamp() - posted_at if posted_at else None,
            )

    def heuristic_runs(self) -> int:
        """Return how often the heuristic has run."""
        return Resolution.objects.aggregate(runs=Sum("attempts", default=0))["runs"]

    def make_staff(self) -> tuple[str, str]:
        """Create the staff login ``admin`` or reset its password; return both."""
        password = secrets.token_urlsafe(12)
        user, _ = get_user_model().objects.get_or_create(
            username="admin", defaults={"is_staff": True, "is_superuser": True}
        )
        user.set_password(password)
        user.save()
        return user.get_username(), password

    def stop(self) -> None:
        """Stop all processes and wait; another Ctrl-C cuts the grace time short."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            while process.poll() is None:
                try:
                    process.wait()
                except KeyboardInterrupt:
                    process.terminate()
        if self._receiver is not None:
            self._receiver.stop()
        self._web_socket.close()

    def _run(self, *arguments: str, pass_fds: list[int] | None = None) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds or [],
                # Only this process gets Ctrl-C, and stops the others in order.
                start_new_session=True,
            )
        self._processes.append(process)

    def _wait_for_web(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self._check_processes()
            try:
                with _session() as session:
                    if session.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                        return
            except requests.RequestException:
                pass  # not ready yet
            time.sleep(0.1)
        raise DemoError(f"The web server does not answer; {self.log} may say why.")

    def _check_processes(self) -> None:
        for process in self._processes:
            if process.poll() is not None:
                raise DemoError(f"A process of Pave's has ended; {self.log} may say why.")


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=1024)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise DemoError(f"Cannot listen on port {port}: {error.strerror}.") from error
        raise DemoError(
            f"Port {port} is taken. Stop what listens there; the web server's can also be another "
            "one, as in `make run PORT=8000`."
        ) from error


def _session() -> requests.Session:
    """Return a session that ignores the environment's proxies."""
    session = requests.Session()
    session.trust_env = False
    return session


def restart_with(values: dict[str, str]) -> None:
    """Re-execute this command with settings, unless it has them: they are read only once."""
    if any(os.environ.get(name) != value for name, value in values.items()):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **values})  # noqa: S606 - no shell is wanted
