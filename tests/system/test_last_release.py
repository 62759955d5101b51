"""From the last release to this one, and back as far as the documents say, while clients post."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.servers import ON_SQLITE
from tests.system.databases import PostgresDatabase
from tests.system.rolling import Balancer, start_web
from tests.system.stack import ROOT, Stack
from webhooks.receiver.application import Receiver

HERE = Path(__file__).parent / "last_release"
COMMIT = (HERE / "commit").read_text().strip()
GIT = shutil.which("git") or "git"


def has_history() -> bool:
    """Return whether the last release can be had here."""
    try:
        found = subprocess.run([GIT, "cat-file", "-e", COMMIT], cwd=ROOT, capture_output=True)
    except FileNotFoundError:
        return False
    return found.returncode == 0


pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(ON_SQLITE, reason="It has one machine, which is stopped for an upgrade."),
    pytest.mark.skipif(not has_history(), reason=f"This copy has no history with {COMMIT}."),
]


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the last release."""
    folder = tmp_path_factory.mktemp("last-release")
    archive = subprocess.run(
        [GIT, "archive", COMMIT], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


class Releases(Stack):
    """Processes of both releases on one database.

    Args:
        folder: Where logs go.
        old: The last release's code.
    """

    def __init__(self, folder: Path, old: Path) -> None:
        database = PostgresDatabase(os.environ["DATABASE_URL"], f"last_release_{os.getpid()}")
        super().__init__(folder, database, os.environ["REDIS_URL"], {})
        self.old = old
        self.of_old = {"PYTHONPATH": f"{old}:{HERE}"}

    def manage_old(self, *arguments: str) -> str:
        """Run a command of the last release to its end and return what it prints."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.old,
            env={**self.environ, **self.of_old},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout

    def start_old_web(self, name: str) -> tuple[subprocess.Popen[bytes], str]:
        """Start a web server of the last release."""
        return start_web(self, name, self.of_old, self.old)


@pytest.fixture
def releases(tmp_path: Path, last_release: Path) -> Iterator[Releases]:
    stack = Releases(tmp_path, last_release)
    try:
        yield stack
    finally:
        try:
            stack.stop()
        finally:
            print(stack.logs())  # noqa: T201 - pytest shows it with a failure
            stack.database.drop()


class Before:
    """What a client has of the last release: answers, a batch, feedback, a held message.

    Args:
        releases: Where its cluster runs.
        url: Its web server.
        endpoint: Where the client's webhook leads.
    """

    def __init__(self, releases: Releases, url: str, endpoint: Receiver) -> None:
        self._releases, self._endpoint = releases, endpoint
        made = json.loads(
            releases.manage_old(
                "create_client", "old", "--webhook-url", endpoint.url("/old"), "--json"
            )
        )
        self._key, self._webhook = made["api_key"], f"/v1/webhooks/{made['webhook']['id']}"
        netflix = {"description": "NETFLIX.COM", "reference": "r-1", "amount": "12.99"}
        self._single = self._ask(url, "POST", "/v1/normalizations", json=netflix).json()[
            "request_id"
        ]
        rows = "description,reference\nSPOTIFY,r-2\nSTARBUCKS STORE 00123,r-3\n,r-4\n"
        csv = {"Content-Type": "text/csv"}
        self._batch = self._ask(url, "POST", "/v1/batches", data=rows, headers=csv).json()["id"]
        releases.wait_for(lambda: self._is_done(url), 60)
        wrong = {"merchant": "Another Shop", "comment": "It was that."}
        self._ask(url, "POST", f"/v1/normalizations/{self._single}/feedback", json=wrong)
        self._ask(url, "PATCH", self._webhook, json={"enabled": False})
        self._held = self._post(url, netflix)
        releases.wait_for(lambda: self._deliveries(url, "held"), 60)
        self._found = self._read(url)

    def is_found_again(self, url: str) -> None:
        """Read all of it from a web server of this release, and have sent what was held."""
        assert self._read(url) == self._found
        assert self._releases.database.rows(
            "SELECT merchant_name, comment, status FROM merchants_feedback"
        ) == [("Another Shop", "It was that.", "open")]
        assert len(self._deliveries(url, "held")) == 1
        self._ask(url, "PATCH", self._webhook, json={"enabled": True})

        def told() -> bool:
            messages = [message for message in [*self._endpoint.messages] if message.path == "/old"]
            return any(message.json.get("request_id") == self._held for message in messages)

        self._releases.wait_for(told, 60)

    def _read(self, url: str) -> list[Any]:
        single = self._ask(url, "GET", f"/v1/normalizations/{self._single}").json()
        batch = self._ask(url, "GET", f"/v1/batches/{self._batch}").json()
        lines = self._ask(url, "GET", f"/v1/batches/{self._batch}/results").text.splitlines()
        return [
            *(_shown(answer) for answer in [single, *map(json.loads, lines)]),
            batch["status"],
            [batch["counts"][name] for name in ("accepted", "rejected", "completed", "failed")],
            [error["row"] for error in batch["errors"]],
        ]

    def _is_done(self, url: str) -> bool:
        single = self._ask(url, "GET", f"/v1/normalizations/{self._single}").json()
        batch = self._ask(url, "GET", f"/v1/batches/{self._batch}").json()
        return (single["status"], batch["status"]) == ("completed", "completed")

    def _deliveries(self, url: str, status: str) -> list[Any]:
        return self._ask(url, "GET", f"{self._webhook}/deliveries?status={status}").json()["data"]

    def _post(self, url: str, transaction: dict[str, str]) -> str:
        return self._ask(url, "POST", "/v1/normalizations", json=transaction).json()["request_id"]

    def _ask(self, url: str, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Api-Key {self._key}", **more.pop("headers", {})}
        response = requests.request(method, f"{url}{path}", headers=headers, timeout=30, **more)
        assert response.ok, response.text
        return response


def _shown(answer: dict[str, Any]) -> list[Any]:
    transaction, merchant = answer["transaction"], answer["merchant"]
    return [
        *(answer[name] for name in ("request_id", "status")),
        *(transaction[name] for name in ("description", "amount", "reference")),
        merchant and merchant["name"],
    ]


def test_clients_notice_nothing_of_the_way_there_and_of_web_on_the_way_back(
    releases: Releases, endpoint: Receiver
) -> None:
    """The steps of docs/operations.md."""
    releases.manage_old("migrate", "--verbosity=0")
    made = json.loads(
        releases.manage_old("create_client", "1234", "--webhook-url", endpoint.url(), "--json")
    )
    old_web, old_url = releases.start_old_web("old-web")
    old_cluster = releases.start(
        "old-cluster", "manage.py", "qcluster", environ=releases.of_old, root=releases.old
    )
    # A post that meets a migration in a deadlock is answered 503 (docs/operations.md).
    balancer = Balancer(made["api_key"], repeats=True)
    balancer.backends = [old_url]

    def more() -> None:
        reached = len(balancer.accepted)
        releases.wait_for(lambda: len(balancer.accepted) > reached + 30, 60)

    with balancer.posting():
        releases.wait_for(lambda: len(endpoint.messages) > 30, 60)
        before = Before(releases, old_url, endpoint)
        old_cluster.terminate()
        assert old_cluster.wait(60) == 0
        [(stopped,)] = releases.database.rows("SELECT clock_timestamp()")
        more()  # what the new clusters find when they start
        releases.manage("migrate", "--verbosity=0")
        more()
        new_web, new_url = start_web(releases, "new-web", {})
        balancer.backends.append(new_url)
        releases.start("new-cluster", "manage.py", "qcluster")
        more()
        old_web.terminate()
        assert old_web.wait(40) == 0
        balancer.backends.remove(old_url)
        more()
        before.is_found_again(new_url)
        # And back: web only.
        _, again_url = releases.start_old_web("old-web-again")
        balancer.backends.append(again_url)
        more()
        new_web.terminate()
        assert new_web.wait(40) == 0
        balancer.backends.remove(new_url)
        more()

    assert balancer.refused == []
    taken = set(balancer.accepted)
    releases.wait_for(
        lambda: {one.json.get("request_id") for one in tuple(endpoint.messages)} >= taken, 120
    )
    # On a busy machine the last release lets some fail, whose key takes a second; this one, none.
    failed = (
        "SELECT count(*) FROM merchants_normalizationrequest"
        " WHERE status <> 'completed' AND (status <> 'failed' OR created_at > %s)"
    )
    assert releases.database.rows(failed, stopped) == [(0,)]
