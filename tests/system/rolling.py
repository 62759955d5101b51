"""Web servers of several releases at once, and callers that post all the while."""

import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.system.stack import ROOT, START_SECONDS, Stack

_UNAVAILABLE = "503, to try again"


class Balancer:
    """Posts to whichever web server takes the connection, as a proxy in front does.

    Args:
        key: The API key of the client that posts.
        repeats: Whether it repeats what is answered 503, as clients do.
    """

    def __init__(self, key: str, *, repeats: bool = False) -> None:
        self._repeats = repeats
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
                description = f"SHOP {number} {count % 20}"
                said = self._post(session, description)
                if self._repeats and said == _UNAVAILABLE:
                    said = self._post(session, description)
                if said:
                    self.refused.append(said)

    def _post(self, session: requests.Session, description: str) -> str:
        """Post a transaction; return the last error, "" if it is accepted."""
        self._turn += 1
        backends = list(self.backends)
        first = self._turn % len(backends)
        said = "nobody answered"
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
                return ""
            said = _UNAVAILABLE if answer.status_code == 503 else answer.text
        return said


def start_web(
    stack: Stack, name: str, environ: Mapping[str, str], root: Path = ROOT
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a web server beside the others, and wait until it is ready.

    Args:
        stack: Whose it is.
        name: Of its log.
        environ: Settings that it has beside those of all.
        root: The checkout whose code it runs.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        number = listening.fileno()
        process = stack.start(
            name, "-m", "gunicorn", "-c", "python:pave.gunicorn", f"--bind=fd://{number}",
            "pave.wsgi",
            pass_fds=[number], environ=environ, root=root,
        )  # fmt: skip
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def is_ready() -> bool:
        session = requests.Session()
        session.trust_env = False
        try:
            return session.get(f"{url}/readyz", timeout=10).status_code == 200
        except requests.RequestException:  # on a busy machine it has not begun to answer
            return False

    stack.wait_for(is_ready, START_SECONDS)
    return process, url
