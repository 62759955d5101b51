"""A new release with a migration, while clients post: nothing is lost, and somebody answers."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.system.stack import START_SECONDS, Stack
from webhooks.receiver.application import Receiver

pytestmark = pytest.mark.timeout(240)

NEXT = "tests.system.next_release.settings"


class Balancer:
    """Posts to whichever web server takes the connection, as a proxy in front does."""

    def __init__(self, key: str) -> None:
        self.backends: list[str] = []
        self.accepted: list[str] = []
        self.refused: list[str] = []
        self._key = key
        self._stopping = threading.Event()
        self._turn = 0

    @contextmanager
    def posting(self) -> Iterator[None]:
        """Post all through the block."""
        threads = [threading.Thread(target=self._run, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def _run(self, number: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            count = 0
            while not self._stopping.wait(0.03):
                count += 1
                self._post(session, f"SHOP {number} {count % 20}")

    def _post(self, session: requests.Session, description: str) -> None:
        self._turn += 1
        backends = list(self.backends)
        first = self._turn % len(backends)
        said = ""
        for url in [*backends[first:], *backends[:first]]:
            try:
                answer = session.post(
                    f"{url}/normalize_merchant",
                    json={"description": description},
                    headers={"Authorization": f"Api-Key {self._key}"},
                    timeout=20,
                )
            except requests.ConnectionError:
                continue  # it is on its way out: the next one
            if answer.status_code == 202:
                self.accepted.append(answer.json()["request_id"])
                return
            said = answer.text
        self.refused.append(said or "nobody answered")


def start_web(stack: Stack, name: str, settings: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start a web server beside the others, and wait until it is ready."""
    before = stack.environ.get("DJANGO_SETTINGS_MODULE")
    stack.environ["DJANGO_SETTINGS_MODULE"] = settings
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
            number = listening.fileno()
            process = stack.start(
                name, "-m", "gunicorn", "-c", "python:pave.gunicorn", f"--bind=fd://{number}",
                "pave.wsgi",
                pass_fds=[number],
            )  # fmt: skip
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        if before is not None:
            stack.environ["DJANGO_SETTINGS_MODULE"] = before

    def is_ready() -> bool:
        session = requests.Session()
        session.trust_env = False
        try:
            return session.get(f"{url}/readyz", timeout=10).status_code == 200
        except requests.RequestException:  # on a busy machine it has not begun to answer
            return False

    stack.wait_for(is_ready, START_SECONDS)
    return process, url


def test_a_deploy_with_a_migration_loses_nothing_and_answers_throughout(
    stack: Stack, endpoint: Receiver
) -> None:
    made = stack.create_client("1234", endpoint.url())
    old = [start_web(stack, f"old-{number}", "pave.settings") for number in range(2)]
    old_cluster = stack.start_cluster()
    balancer = Balancer(made["api_key"])
    balancer.backends = [url for _, url in old]

    with balancer.posting():
        stack.wait_for(lambda: len(balancer.accepted) > 50, 60)
        # The tables of the new release, under the old code.
        stack.environ["DJANGO_SETTINGS_MODULE"] = NEXT
        stack.manage("migrate", "--verbosity=0")
        for number, (process, url) in enumerate(old):
            _, new_url = start_web(stack, f"new-{number}", NEXT)
            balancer.backends.append(new_url)
            # Stopped before it is taken out, as happens: what it refuses, another one takes.
            process.terminate()
            assert process.wait(30) == 0
            balancer.backends.remove(url)
        old_cluster.terminate()
        assert old_cluster.wait(60) == 0
        stack.start("new-cluster", "manage.py", "qcluster")
        reached = len(balancer.accepted)
        stack.wait_for(lambda: len(balancer.accepted) > reached + 50, 60)

    assert balancer.refused == []
    told = stack.wait_for(
        lambda: (
            (got := {message.json["request_id"] for message in tuple(endpoint.messages)})
            >= set(balancer.accepted)
            and got
        ),
        60,
    )
    assert told >= set(balancer.accepted)
    columns = "SELECT count(next_release) FROM merchants_normalizationrequest"
    assert stack.database.rows(columns) == [(0,)]
