"""The web server's worker: sockets that are slow, silent or left open keep nobody out."""

import json
import re
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.system.stack import ROOT, Stack
from tests.system.test_web_server import PROMPT_SECONDS, post, upload_batch

pytestmark = pytest.mark.stack(shared=True)


def connect(stack: Stack, sent: str, *, window: int | None = None) -> socket.socket:
    address = urlsplit(stack.web_url)
    connection = socket.socket()
    connection.settimeout(30)
    if window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.connect((address.hostname, address.port))
    connection.sendall(sent.encode())
    return connection


POST = "POST /v1/normalizations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{}"


FORM = (
    "POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nCookie: csrftoken=" + "a" * 32 + "\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\na="
)


UNFINISHED = [
    "",
    "\r\n",
    POST,
    POST + "Content-Length: 100\r\n\r\n{{",
    POST + "Content-Length: 200000\r\n\r\n{{",
    POST + "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
    FORM.format(300_000),
    FORM.format("000000000000000100"),
    FORM.format("100 \t"),
    FORM.format("0" * 4_100 + "100"),
    POST + "Content-Length: " + "0" * 4_100 + "100\r\n\r\n{{",
    "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + "0" * 4_100 + "1\r\n\r\n",
    "GET /livez HTTP/1.1\r\nHost: localhost\r\n" + ("X-Large: " + "a" * 8_000 + "\r\n") * 5,
    "GET /livez HTTP/1.1\nHost: localhost\n\n",
    "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + POST,  # behind one that is answered
]


@pytest.mark.stack(PAVE_WEB_THREADS="20", PAVE_WEB_STALLED_SECONDS="120")
def test_those_who_send_slowly_keep_nobody_out(stack: Stack, key: str) -> None:
    slow: list[socket.socket] = []
    try:
        for number in range(15 * len(UNFINISHED)):  # two processes have 40 threads
            caller = f"Authorization: Api-Key {key}\r\n" if number % 3 else ""
            slow.append(connect(stack, UNFINISHED[number % len(UNFINISHED)].format(caller)))
        for _ in range(5):
            for connection in slow[3 :: len(UNFINISHED)]:
                connection.sendall(b" ")
            for connection in slow[8 :: len(UNFINISHED)]:
                connection.sendall(b"a")
            assert post(stack, key)[0] < PROMPT_SECONDS
    finally:
        for connection in slow:
            connection.close()


def test_those_who_do_not_close_keep_nobody_out(stack: Stack, key: str) -> None:
    ask = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    refused = POST.format("") + "Content-Length: 300000\r\n\r\n{"
    left_open: list[socket.socket] = []
    try:
        for _ in range(5):
            left_open += [connect(stack, sent) for sent in [ask, refused] * 10]
            assert post(stack, key)[0] < PROMPT_SECONDS
        for connection in left_open:
            assert connection.recv(1000).startswith((b"HTTP/1.1 200", b"HTTP/1.1 401"))
    finally:
        for connection in left_open:
            connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/openapi.json",
        "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js",
        "/v1/normalizations?limit=100",
    ],
)
def test_those_who_do_not_read_keep_nobody_out(stack: Stack, key: str, path: str) -> None:
    if "normalizations" in path:
        for _ in range(100):
            metadata = {f"k{number}": "\U0001f600" * 500 for number in range(16)}
            requests.post(
                f"{stack.web_url}/v1/normalizations",
                json={"description": "A", "metadata": metadata},
                headers={"Authorization": f"Api-Key {key}"},
                timeout=30,
            )
    ask = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Api-Key {key}\r\n\r\n"
    unread = []
    try:
        for _ in range(90):
            unread.append(connect(stack, "", window=2048))
            unread[-1].sendall((ask * 20).encode())
        assert all(post(stack, key)[0] < PROMPT_SECONDS for _ in range(5))
    finally:
        for connection in unread:
            connection.close()


LARGE_FILE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"


def _read_slowly(stack: Stack, path: str, key: str) -> bytes:
    """Return the body of a response that is read at 2 MB a second or so."""
    ask = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    received = b""
    with connect(stack, f"{ask}Authorization: Api-Key {key}\r\n\r\n", window=65_536) as connection:
        while part := connection.recv(65_536):
            received += part
            time.sleep(0.02)
    return received.partition(b"\r\n\r\n")[2]


def test_a_large_response_that_is_read_slowly_comes_whole(stack: Stack, key: str) -> None:
    whole = requests.get(
        stack.web_url + LARGE_FILE, headers={"Accept-Encoding": ""}, timeout=30
    ).content
    assert _read_slowly(stack, LARGE_FILE, key) == whole


@pytest.mark.parametrize("path", [LARGE_FILE, LARGE_FILE.replace("s", "%73", 1)])
def test_strangers_who_do_not_read_files_cut_off_no_clients_answers(
    stack: Stack, key: str, path: str
) -> None:
    row = b'{"description": "SHOP", "metadata": {"a": "%s"}}\n' % (400 * b"x")
    batch = upload_batch(stack, key, 3_000 * row).json()
    ask = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
    unread = [connect(stack, ask, window=2048) for _ in range(40)]
    try:
        assert post(stack, key)[0] < PROMPT_SECONDS
        results = _read_slowly(stack, f"/v1/batches/{batch['id']}/results", key)
    finally:
        for connection in unread:
            connection.close()
    # In chunks; the last says that it is whole.
    assert results.endswith(b"\r\n0\r\n\r\n")


def test_a_large_body_that_is_not_sent_keeps_no_upload_out(stack: Stack, key: str) -> None:
    ask = "GET /docs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n"
    idle = [connect(stack, ask) for _ in range(40)]
    try:
        assert upload_batch(stack, key, b'{"description": "A"}\n' * 20_000).status_code == 202
    finally:
        for connection in idle:
            connection.close()


# A process holds a thousand connections.
TOO_MANY = 1_500


@pytest.mark.stack(WEB_CONCURRENCY="1", shared=True)
@pytest.mark.parametrize(
    "sent",
    [
        "",
        "G",
        POST + "Content-Length: 100\r\n\r\n{{",
        "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
    ids=["silent", "a byte", "half a body", "kept alive", "unread"],
)
def test_connections_that_wait_make_room_for_others(stack: Stack, key: str, sent: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    waiting = []
    try:
        for number in range(TOO_MANY):
            waiting.append(connect(stack, sent, window=2048))
            if number > TOO_MANY / 2:  # while the server closes the oldest
                with suppress(OSError):
                    waiting[number // 2].sendall(b"a")
            if number % 100 == 99:
                assert post(stack, key)[0] < PROMPT_SECONDS
    finally:
        for connection in waiting:
            connection.close()
    assert "Exception in worker process" not in stack.logs()


def test_a_process_that_may_have_few_files_holds_fewer_connections() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256));"
        "from pave import gunicorn; print(gunicorn.worker_connections)"
    )
    run = [sys.executable, "-c", code]
    assert subprocess.check_output(run, cwd=ROOT, text=True) == "128\n"


@pytest.mark.stack(WEB_CONCURRENCY="1", shared=True)
def test_heads_that_come_byte_by_byte_keep_nobody_out(stack: Stack, key: str) -> None:
    head = "GET /livez HTTP/1.1\r\nHost: localhost\r\n" + ("X-Large: " + "a" * 4_000 + "\r\n") * 7
    slow = [connect(stack, head) for _ in range(150)]
    stop = threading.Event()

    def trickle() -> None:
        while not stop.is_set():
            for connection in slow:
                with suppress(OSError):
                    connection.send(b"a")
            stop.wait(0.05)

    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(trickle)
            try:
                assert all(post(stack, key)[0] < PROMPT_SECONDS for _ in range(10))
            finally:
                stop.set()
    finally:
        for connection in slow:
            connection.close()


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


# A client that sends nothing more is cut off after this.
@pytest.mark.stack(PAVE_WEB_STALLED_SECONDS="1")
def test_those_who_stop_sending_are_cut_off(stack: Stack, key: str) -> None:
    for sent in UNFINISHED[2:5]:
        with connect(stack, sent.format(f"Authorization: Api-Key {key}\r\n")) as connection:
            head, _, body = connection.recv(1000).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408")
            assert json.loads(body)["status"] == 408
    for sent in UNFINISHED[:2]:
        with connect(stack, sent) as connection:
            connection.settimeout(10)
            connection.recv(1000)
