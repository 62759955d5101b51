"""The web server's worker: connections that are slow, silent or left open keep nobody out."""

import json
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from pave.web_server.worker import ALL_UNREAD_BYTES
from tests.system.sockets import POST, connect
from tests.system.stack import ROOT, Stack
from tests.system.test_web_server import PROMPT_SECONDS, post, upload_batch

pytestmark = pytest.mark.stack(shared=True)


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


@pytest.mark.stack(PAVE_WEB_STALLED_SECONDS="1", GUNICORN_CMD_ARGS="--keep-alive 1")
def test_what_is_not_read_is_of_a_connection_that_counts(stack: Stack) -> None:
    """The kernel keeps what was sent for minutes after a connection is closed."""
    ask = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n"
    ways = [f"{ask}\r\n", f"{ask}Connection: close\r\n\r\n", 2 * f"{ask}\r\n"]
    unread = [connect(stack, sent, window=2048) for sent in 5 * ways]
    try:
        for connection in unread[1 :: len(ways)]:
            connection.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 30
        while _sockets(stack, states={_ESTABLISHED, _CLOSE_WAIT}):
            assert time.monotonic() < deadline, "The server does not end them."
            time.sleep(0.1)
        time.sleep(3)  # longer than who still sends is listened to
        ended = _sockets(stack, states={_FIN_WAIT, _LAST_ACK})
        assert len(ended) == len(unread)
        assert "0" not in ended, "closed, and nobody counts it"
    finally:
        for connection in unread:
            connection.close()


@pytest.mark.stack(WEB_CONCURRENCY="1", shared=True)
def test_of_who_reads_nothing_the_kernel_keeps_little(stack: Stack) -> None:
    ask = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    unread = [connect(stack, ask, window=2048) for _ in range(900)]
    try:
        deadline = time.monotonic() + 30
        while (
            len(_sockets(stack, states={_ESTABLISHED})) == len(unread)
            or _unread_bytes(stack) > ALL_UNREAD_BYTES
        ):
            assert time.monotonic() < deadline, "The server keeps all of them."
            time.sleep(0.1)
    finally:
        for connection in unread:
            connection.close()


def test_a_response_that_breaks_off_does_not_end_as_if_it_were_whole(stack: Stack) -> None:
    """To a client of HTTP/1.0 it would: it knows no length of what is streamed."""
    whole = len(requests.get(stack.web_url + LARGE_FILE, timeout=30).content)
    ask = f"GET {LARGE_FILE} HTTP/1.0\r\nHost: localhost\r\n\r\n"
    unread = [connect(stack, ask, window=2048) for _ in range(12)]
    time.sleep(2)
    broken_off = 0
    for connection in unread:
        with connection:
            received = 0
            try:
                while part := connection.recv(65_536):
                    received += len(part)
                assert received > whole
            except ConnectionResetError:
                broken_off += 1
    assert broken_off >= 8, "two in each process are waited for"


@pytest.mark.stack(WEB_CONCURRENCY="1")
def test_a_server_that_stops_serves_those_who_wait_behind_dead_connections(stack: Stack) -> None:
    (worker,) = stack.web_workers()
    worker.suspend()
    for _ in range(3):
        dead = connect(stack, "")
        dead.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        dead.close()
    waiting = [connect(stack, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(3)]
    worker.parent().terminate()
    time.sleep(0.3)
    worker.resume()
    for connection in waiting:
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.close()


# States of a connection (linux: include/net/tcp_states.h).
_ESTABLISHED, _FIN_WAIT, _CLOSE_WAIT, _LAST_ACK = "01", "04", "08", "09"


def _sockets(stack: Stack, *, states: set[str]) -> list[str]:
    """Return the inodes of the web server's connections in such states; "0" if it closed one."""
    return [row[9] for row in _rows(stack) if row[3] in states]


def _unread_bytes(stack: Stack) -> int:
    """Return how much the web server has sent that was not received."""
    return sum(int(row[4].partition(":")[0], 16) for row in _rows(stack))


def _rows(stack: Stack) -> list[list[str]]:
    """Return what the kernel says of the web server's connections (proc(5), /proc/net/tcp)."""
    port = f"{urlsplit(stack.web_url).port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return [row for row in rows if row[1].endswith(f":{port}")]


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
    with connect(stack, POST) as connection:  # in all, and not since the last byte
        connection.settimeout(0.3)
        for _ in range(30):
            with suppress(TimeoutError):
                assert connection.recv(1000).startswith(b"HTTP/1.1 408")
                break
            connection.sendall(b"x")
        else:
            pytest.fail("It was not cut off.")


def test_who_has_much_to_read_gets_no_thread_for_its_next_request(stack: Stack, key: str) -> None:
    body = '{"description": "AFTER A LARGE RESPONSE"}'
    ask = f"Host: localhost\r\nAuthorization: Api-Key {key}\r\n"
    post_one = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"

    def is_there() -> bool:
        query = "SELECT count(*) FROM merchants_normalizationrequest WHERE description = %s"
        return bool(stack.database.rows(query, "AFTER A LARGE RESPONSE")[0][0])

    with connect(stack, "", window=2048) as reading:
        reading.sendall(f"GET /openapi.json HTTP/1.1\r\n{ask}\r\n".encode())
        reading.sendall(f"POST /v1/normalizations HTTP/1.1\r\n{ask}{post_one}".encode())
        time.sleep(1)
        assert not is_there()
        read = b""
        while b"HTTP/1.1 202" not in read:
            read = read[-20:] + reading.recv(65_536)
    assert is_there()
