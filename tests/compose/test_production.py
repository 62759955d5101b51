"""docker-compose.yml with an .env as in production, behind its proxy."""

import base64
import json
import secrets
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.compose.conftest import Project, free_port, project_in, wait_until

SERVICES = ("web", "quick", "heuristic", "proxy")


def _fill_in(folder: Path, **more: str) -> None:
    """Make the .env and the certificate that an operator would."""
    values = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "PAVE_METRICS_TOKEN": secrets.token_urlsafe(30),
        "POSTGRES_PASSWORD": secrets.token_hex(20),
        "REDIS_PASSWORD": secrets.token_hex(20),
    }
    lines = (folder / ".env.example").read_text().splitlines()
    filled = [line + values.get(line.removesuffix("="), "") for line in lines]
    filled += [f"{name}={value}" for name, value in more.items()]
    (folder / ".env").write_text("\n".join(filled) + "\n")
    tls = folder / "tls"
    tls.mkdir()
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=pave"
    make += " -addext subjectAltName=IP:127.0.0.1 -keyout privkey.pem -out fullchain.pem"
    subprocess.run(make.split(), cwd=tls, check=True, capture_output=True)
    (tls / "privkey.pem").chmod(0o644)  # as if it were the proxy's user's


class Production:
    """A running Pave behind its proxy.

    Args:
        project: What runs it.
        http: The port of HTTP.
        https: That of HTTPS.
        inside: That of the web server itself.
    """

    def __init__(self, project: Project, http: int, https: int, inside: int) -> None:
        self.project = project
        self.inside = f"http://127.0.0.1:{inside}"
        self.http = f"http://127.0.0.1:{http}"
        self.https = f"https://127.0.0.1:{https}"
        self.session = requests.Session()
        self.session.trust_env = False  # else another list of authorities goes before
        self.session.verify = str(project.folder / "tls" / "fullchain.pem")

    def create_client(self, client_id: str) -> None:
        """Make a client, whose key the session sends from here on."""
        manage = ("exec", "-T", "web", "python", "manage.py")
        made = self.project.run(*manage, "create_client", client_id, "--json")
        key = json.loads(made.strip().splitlines()[-1])["api_key"]
        self.session.headers["Authorization"] = f"Api-Key {key}"

    def status(self, request_id: str) -> str:
        """Return the status of a request."""
        answer = self.session.get(f"{self.https}/v1/normalizations/{request_id}", timeout=30)
        return str(answer.json()["status"])


@pytest.fixture(scope="module")
def production(
    docker: tuple[list[str], dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Production]:
    """The services that docs/operations.md names, with a client."""
    folder = tmp_path_factory.mktemp("production")
    http, https, inside = free_port(), free_port(), free_port()
    with project_in(docker, folder, "pave-test-production") as project:
        _fill_in(
            folder,
            PAVE_HTTP=f"127.0.0.1:{http}",
            PAVE_HTTPS=f"127.0.0.1:{https}",
            PAVE_PUBLISH=f"127.0.0.1:{inside}",
        )
        project.run("up", "--build", "--detach", *SERVICES)
        made = Production(project, http, https, inside)
        made.create_client("bank-1")
        yield made


def test_a_transaction_is_answered_behind_tls(production: Production) -> None:
    post = production.session.post
    answer = post(f"{production.https}/v1/normalizations", json={"description": "NETFLIX.COM"})
    assert answer.status_code == 202, answer.text
    asked = answer.json()["request_id"]
    assert wait_until(lambda: production.status(asked) == "completed", 60)


def test_http_leads_to_https(production: Production) -> None:
    answer = requests.get(f"{production.http}/docs?x=1", allow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://127.0.0.1/docs?x=1")


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_monitors_pave_is_not_for_the_public(production: Production, path: str) -> None:
    assert production.session.get(production.https + path).status_code == 404


def test_staff_have_pages_from_inside_with_cookies_for_https_alone(production: Production) -> None:
    assert production.session.get(f"{production.https}/admin/login/").status_code == 403
    answer = requests.get(f"{production.inside}/admin/login/", timeout=30)
    assert answer.status_code == 200
    assert [cookie.secure for cookie in answer.cookies] == [True]


def test_a_batch_goes_through_and_its_results_come_back(production: Production) -> None:
    body = b'{"description": "NETFLIX.COM"}\n' * 20_000
    kind = {"Content-Type": "application/x-ndjson"}
    answer = production.session.post(f"{production.https}/v1/batches", data=body, headers=kind)
    assert answer.status_code == 202, answer.text
    url = f"{production.https}/v1/batches/{answer.json()['id']}"
    assert wait_until(lambda: production.session.get(url).json()["status"] == "completed", 120)
    assert len(production.session.get(f"{url}/results").content.splitlines()) == 20_000


@pytest.mark.parametrize("key", ["", "Authorization: Api-Key wrong.key\r\n"])
def test_a_strangers_upload_is_refused_unread(production: Production, key: str) -> None:
    head = "POST /v1/batches HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 30000000\r\n"
    head += f"Content-Type: application/x-ndjson\r\n{key}\r\n"
    context = ssl.create_default_context(cafile=production.session.verify)
    with (
        socket.create_connection(("127.0.0.1", urlsplit(production.https).port), 30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(head.encode())
        assert secure.recv(100).startswith(b"HTTP/1.1 401")


def test_a_body_beyond_the_limit_gets_a_problem(production: Production) -> None:
    body = b"x" * 34 * 1024 * 1024
    kind = {"Content-Type": "application/x-ndjson"}
    answer = production.session.post(f"{production.https}/v1/batches", data=body, headers=kind)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 413


def test_an_image_is_replaced_while_clients_post(production: Production) -> None:
    """The web server is away for some seconds, and nothing that was accepted is lost."""
    seen: Counter[int] = Counter()
    accepted: list[str] = []
    ended = threading.Event()

    def post() -> None:
        number = 1
        while not ended.is_set():
            answer = production.session.post(
                f"{production.https}/v1/normalizations",
                json={"description": f"CORNER SHOP {number} OAKLAND CA"},
                headers={"Idempotency-Key": f"replaced-{number}"},
                timeout=90,
            )
            seen[answer.status_code] += 1
            if answer.status_code == 202:
                accepted.append(answer.json()["request_id"])
                number += 1
            else:
                time.sleep(float(answer.headers["Retry-After"]))

    before = production.project.run("ps", "--quiet", "web", "quick", "heuristic").split()
    (production.project.folder / "pave" / "next.py").write_text('"""The next version."""\n')
    with ThreadPoolExecutor(1) as pool:
        posted = pool.submit(post)
        try:
            production.project.run("up", "--build", "--detach", "web", "quick", "heuristic")
            count = len(accepted)
            wait_until(lambda: posted.done() or len(accepted) > count, 60)
        finally:
            ended.set()
        posted.result()
    after = production.project.run("ps", "--quiet", "web", "quick", "heuristic").split()
    assert len(after) == 3
    assert not set(before) & set(after)
    assert set(seen) <= {202, 503}
    assert wait_until(lambda: {production.status(asked) for asked in accepted} == {"completed"}, 90)
