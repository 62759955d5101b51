"""The web server's worker: how requests are framed, and how responses and connections end."""

import json
import re
import socket
import ssl
import subprocess
import time
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.system.sockets import POST, connect
from tests.system.stack import Stack
from tests.system.test_web_server import PROMPT_SECONDS, post, upload_batch

pytestmark = pytest.mark.stack(shared=True)


def test_who_sends_all_of_a_refused_upload_reads_why(stack: Stack) -> None:
    """As a proxy does, which takes a reset connection for a server that is away."""
    size = 20 * 1024 * 1024
    head = POST.replace("normalizations", "batches").format("Authorization: Api-Key wrong\r\n")
    with connect(stack, f"{head}Content-Length: {size}\r\n\r\n") as sending:
        sending.sendall(size * b"x")
        assert sending.recv(12) == b"HTTP/1.1 401"


@pytest.mark.stack(WEB_CONCURRENCY="1")
def test_a_response_that_breaks_off_is_the_end_of_its_connection_only(
    stack: Stack, key: str
) -> None:
    row = b'{"description": "SHOP", "metadata": {"a": "%s"}}\n' % (400 * b"x")
    batch = upload_batch(stack, key, 6_000 * row).json()
    ask = f"GET /v1/batches/{batch['id']}/results HTTP/1.1\r\nHost: localhost\r\n"
    before = stack.web_workers()
    with connect(stack, f"{ask}Authorization: Api-Key {key}\r\n\r\n", window=4096) as reading:
        assert reading.recv(100).startswith(b"HTTP/1.1 200")
        # Once its thread waits for the reader.
        terminate = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE '%normalizationrequest%'"
            " AND state = 'idle' AND clock_timestamp() > state_change + interval '0.5 seconds'"
        )
        stack.wait_for(lambda: stack.database.rows(terminate)[0][0], 30)
        with suppress(ConnectionResetError):
            while reading.recv(65_536):
                pass
    assert post(stack, key)[1].status_code == 202
    assert stack.web_workers() == before


@pytest.mark.stack
def test_those_who_close_before_tls_begins_end_no_process(stack: Stack, tmp_path: Path) -> None:
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    subprocess.run(
        [*make.split(), "-keyout", "key", "-out", "certificate"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address, number = listening.getsockname(), listening.fileno()
        server = stack.start(
            "tls", "-m", "gunicorn", "-c", "python:pave.gunicorn", f"--bind=fd://{number}",
            f"--certfile={tmp_path}/certificate", f"--keyfile={tmp_path}/key", "pave.wsgi",
            pass_fds=[number], environ={"WEB_CONCURRENCY": "1"},
        )  # fmt: skip

    context = ssl.create_default_context(cafile=f"{tmp_path}/certificate")

    def answers() -> bool:
        ask = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        with (
            suppress(OSError),
            socket.create_connection(address, 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(ask)
            return secure.recv(100).startswith(b"HTTP/1.1 200")
        return False

    stack.wait_for(answers, 60)
    before = psutil.Process(server.pid).children()
    for sent in (b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(address, 10) as stranger:
            stranger.sendall(sent)
    assert answers()
    assert psutil.Process(server.pid).children() == before


@pytest.mark.stack
def test_a_server_that_stops_refuses_at_once_and_ends_what_it_began(stack: Stack, key: str) -> None:
    stack.stop()
    web = stack.start_web()
    row = b'{"description": "A"}\n'
    body = row * 20_000
    head = (
        "POST /v1/batches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        f"Authorization: Api-Key {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with connect(stack, head) as upload:
        upload.sendall(body[:-10])
        time.sleep(0.5)
        web.terminate()
        with pytest.raises(requests.ConnectionError):
            stack.wait_for(lambda: post(stack, key)[1].status_code != 202, 10)
        begun = time.monotonic()
        with pytest.raises(requests.ConnectionError):
            post(stack, key)
        assert time.monotonic() - begun < PROMPT_SECONDS
        upload.sendall(body[-10:])
        assert upload.recv(1000).startswith(b"HTTP/1.1 202")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("GET /livez HTTP/1.1\nHost: localhost\n\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Large: " + "a" * 33_000, 431),
    ],
)
def test_a_head_that_is_refused_unread_gets_a_problem(stack: Stack, sent: str, status: int) -> None:
    with connect(stack, sent) as connection:
        head, _, body = connection.recv(1000).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    ("body", "status"),
    [("Content-Length: 300000\r\n\r\n{", 401), ("Transfer-Encoding: chunked\r\n\r\n2", 411)],
    ids=["large", "in chunks"],
)
def test_a_request_that_is_not_collected_says_that_its_connection_ends(
    stack: Stack, body: str, status: int
) -> None:
    with connect(stack, POST.format("") + body) as connection:
        answer = connection.recv(10_000)
    assert answer.startswith(f"HTTP/1.1 {status}".encode())
    assert b"\r\nConnection: close\r\n" in answer


def test_a_connection_that_is_kept_is_kept_though_the_body_is_refused_unread(
    stack: Stack, key: str
) -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Api-Key wrong.key"}
    with closing(HTTPConnection(urlsplit(stack.web_url).netloc, timeout=30)) as connection:
        connection.connect()
        first = connection.sock
        for _ in range(2):
            connection.request("POST", "/v1/normalizations", b"x" * 250_000, headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 401
            assert connection.sock is first  # else the response said that it is closed


def test_a_client_that_is_told_to_go_on_is_answered(stack: Stack, key: str) -> None:
    head = POST.format(f"Authorization: Api-Key {key}\r\nExpect: 100-continue\r\n")
    with connect(stack, head + "Content-Length: 30\r\n\r\n") as connection:
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'{"description": "NETFLIX.COM"}')
        assert connection.recv(1000).startswith(b"HTTP/1.1 202"), "told once"


def test_requests_that_come_at_once_or_in_pieces_are_answered_in_order(
    stack: Stack, key: str
) -> None:
    caller = f"Authorization: Api-Key {key}\r\n"
    ask = f"GET /v1/usage HTTP/1.1\r\nHost: localhost\r\n{caller}\r\n"
    send = POST.format(caller) + 'Content-Length: 30\r\n\r\n{"description": "NETFLIX.COM"}'
    text = ask + send + ask + send[:-1]
    with connect(stack, text[:40]) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(40, len(text), 50):
            time.sleep(0.01)
            connection.sendall(text[start : start + 50].encode())
        time.sleep(0.1)
        connection.sendall(send[-1:].encode())
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 4:
            received = connection.recv(10_000)
            assert received, answers
            answers += received
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"202", b"200", b"202"]
