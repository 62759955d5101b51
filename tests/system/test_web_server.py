"""Clients that wait, or send slowly, keep nobody out."""

import json
import re
import resource
import select
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.system.stack import ROOT, Stack

WAIT_SECONDS = 6
# On two busy cores; nobody who was kept out would be answered in this time.
PROMPT_SECONDS = 4
PASSWORD = "right-horse-battery"
BOUND = 2  # of those who wait, in each of two processes


@pytest.fixture
def key(stack: Stack) -> str:
    return json.loads(stack.manage("create_client", "1234", "--json"))["api_key"]


def post(stack: Stack, key: str, **headers: str) -> tuple[float, requests.Response]:
    """Return how long a POST took, and its answer."""
    begun = time.monotonic()
    response = requests.post(
        f"{stack.web_url}/v1/normalizations",
        json={"description": "NETFLIX.COM"},
        headers={"Authorization": f"Api-Key {key}", **headers},
        timeout=30,
    )
    return time.monotonic() - begun, response


@pytest.mark.stack(PAVE_MAX_WAITING=str(BOUND))
def test_more_who_wait_than_the_bound_are_answered_at_once_and_so_are_others(
    stack: Stack, key: str
) -> None:
    post(stack, key)  # no cluster runs, so nothing gets a result
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(post, stack, key, Prefer=f"wait={WAIT_SECONDS}") for _ in range(16)]
        time.sleep(1)
        plain = [post(stack, key) for _ in range(10)]
        answers = [future.result() for future in waiting]

    assert all(seconds < PROMPT_SECONDS for seconds, _ in plain)
    assert {response.status_code for _, response in [*plain, *answers]} == {202}
    waited = [response for seconds, response in answers if seconds >= WAIT_SECONDS]
    assert BOUND <= len(waited) <= 2 * BOUND
    for seconds, response in answers:
        assert (seconds >= WAIT_SECONDS) == ("Preference-Applied" in response.headers)
        assert seconds >= WAIT_SECONDS or seconds < PROMPT_SECONDS


@pytest.mark.stack(PAVE_MAX_WAITING="8")
def test_a_result_that_comes_while_waiting_is_answered(stack: Stack, key: str) -> None:
    stack.start_cluster()
    first = post(stack, key)[1].json()["request_id"]  # answered as soon as the cluster works
    stack.wait_for(lambda: stack.get(key, first)["status"] == "completed", 60)
    _, response = post(stack, key, Prefer="wait=10")
    assert response.status_code == 200
    assert response.json()["merchant"]["name"] == "Netflix"


@pytest.mark.stack(PYTHONPATH=f"{ROOT / 'tests/system/silent_names'}:{ROOT}")
def test_those_who_name_silent_hosts_keep_nobody_out(stack: Stack, key: str) -> None:
    other = json.loads(stack.manage("create_client", "other", "--json"))["api_key"]
    post(stack, other)

    def create(number: int) -> requests.Response:
        return requests.post(
            f"{stack.web_url}/v1/webhooks",
            json={"url": f"https://{number}.silent.test/"},
            headers={"Authorization": f"Api-Key {key}"},
            timeout=30,
        )

    with ThreadPoolExecutor(30) as pool:
        begun = time.monotonic()
        hostile = [pool.submit(create, number) for number in range(30)]
        while not any(future.done() for future in hostile):
            time.sleep(0.01)
        # Those who keep to their own names, and to none at all, are served meanwhile.
        assert all(post(stack, other)[0] < PROMPT_SECONDS for _ in range(10))
        localhost = requests.post(
            f"{stack.web_url}/v1/webhooks",
            json={"url": "http://localhost:9000/"},
            headers={"Authorization": f"Api-Key {other}"},
            timeout=30,
        )
        assert localhost.status_code == 201
        answers = [future.result() for future in hostile]
        assert time.monotonic() - begun < 25  # a look-up takes a minute

    statuses = sorted(response.status_code for response in answers)
    assert statuses == [400] + [429] * 29
    refused = {
        (answer.headers.get("Retry-After"), answer.json()["detail"].partition(".")[0])
        for answer in answers
        if answer.status_code == 429
    }
    three_at_once = ("1", "Three other requests of yours are being answered")
    assert {after for after, _ in refused - {three_at_once}} == {"2"}
    assert all("look" in reason for _, reason in refused - {three_at_once})


class Staff:
    """Somebody at an address of this machine with the log-in page before them."""

    def __init__(self, stack: Stack, address: str) -> None:
        self._url = f"{stack.web_url}/admin/login/"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", _From(address))
        self._session.get(self._url, timeout=30)

    def log_in(self, name: str, password: str) -> requests.Response:
        token = self._session.cookies["csrftoken"]
        return self._session.post(
            self._url,
            data={"username": name, "password": password, "csrfmiddlewaretoken": token},
            allow_redirects=False,
            timeout=60,
        )


class _From(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, source_address=(self._address, 0))


def add_staff(stack: Stack, name: str) -> None:
    stack.environ["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    stack.manage("createsuperuser", "--noinput", f"--username={name}", "--email=a@pave.example")


@pytest.mark.stack(WEB_CONCURRENCY="1")
def test_staff_who_log_in_at_the_same_moment_all_get_in(stack: Stack) -> None:
    names = ["anna", "bert", "cleo"]
    for name in names:
        add_staff(stack, name)
    staff = [Staff(stack, "127.0.0.1") for _ in names]
    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(lambda one, name: one.log_in(name, PASSWORD), staff, names))
    assert [answer.status_code for answer in answers] == [302] * len(names)


# The source addresses are Linux's, where all of 127.0.0.0/8 is this machine.
@pytest.mark.skipif(sys.platform != "linux", reason="needs many loopback addresses")
@pytest.mark.stack(WEB_CONCURRENCY="1")
def test_those_who_try_passwords_keep_nobody_out(stack: Stack, key: str) -> None:
    add_staff(stack, "anna")
    post(stack, key)
    strangers = [Staff(stack, f"127.0.1.{number}") for number in range(1, 31)]
    over = threading.Event()

    def try_names(stranger: Staff) -> list[requests.Response]:
        answers = []
        while not over.is_set():
            answers.append(stranger.log_in(f"anna-{len(answers)}", "wrong"))
        return answers

    with ThreadPoolExecutor(len(strangers)) as pool:
        tries = [pool.submit(try_names, stranger) for stranger in strangers]
        try:
            time.sleep(1)
            posts = [post(stack, key) for _ in range(10)]
        finally:
            over.set()
        answers = [answer for future in tries for answer in future.result()]

    assert all(seconds < PROMPT_SECONDS for seconds, _ in posts)
    assert {response.status_code for _, response in posts} == {202}
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    # And when it is over, staff are let in.
    assert Staff(stack, "127.0.0.1").log_in("anna", PASSWORD).status_code == 302


def _connect(stack: Stack, sent: str, *, window: int | None = None) -> socket.socket:
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
            slow.append(_connect(stack, UNFINISHED[number % len(UNFINISHED)].format(caller)))
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
            left_open += [_connect(stack, sent) for sent in [ask, refused] * 10]
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
            unread.append(_connect(stack, "", window=2048))
            unread[-1].sendall((ask * 20).encode())
        assert all(post(stack, key)[0] < PROMPT_SECONDS for _ in range(5))
    finally:
        for connection in unread:
            connection.close()


def test_a_large_response_that_is_read_slowly_comes_whole(stack: Stack) -> None:
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    whole = requests.get(stack.web_url + path, headers={"Accept-Encoding": ""}, timeout=30).content
    ask = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with _connect(stack, ask, window=65_536) as connection:
        received = b""
        while part := connection.recv(65_536):
            received += part
            time.sleep(0.02)
    assert received.partition(b"\r\n\r\n")[2] == whole


def test_a_large_body_that_is_not_sent_keeps_no_upload_out(stack: Stack, key: str) -> None:
    ask = "GET /docs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\n\r\n"
    idle = [_connect(stack, ask) for _ in range(40)]
    try:
        assert _upload(stack, key, b'{"description": "A"}\n' * 20_000).status_code == 202
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.stack(WEB_CONCURRENCY="1")
def test_silent_connections_make_room_for_others(stack: Stack, key: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    silent = [_connect(stack, "") for _ in range(1_500)]  # a process holds a thousand
    try:
        assert all(post(stack, key)[0] < PROMPT_SECONDS for _ in range(5))
    finally:
        for connection in silent:
            connection.close()


def test_a_server_that_stops_refuses_at_once_and_ends_what_it_began(stack: Stack, key: str) -> None:
    stack.stop()
    web = stack.start_web()
    row = b'{"description": "A"}\n'
    body = row * 20_000
    head = (
        "POST /v1/batches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
        f"Authorization: Api-Key {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with _connect(stack, head) as upload:
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
    with _connect(stack, sent) as connection:
        head, _, body = connection.recv(1000).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["status"] == status


def test_a_client_that_is_told_to_go_on_is_answered(stack: Stack, key: str) -> None:
    head = POST.format(f"Authorization: Api-Key {key}\r\nExpect: 100-continue\r\n")
    with _connect(stack, head + "Content-Length: 30\r\n\r\n") as connection:
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
    with _connect(stack, text[:40]) as connection:
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
        with _connect(stack, sent.format(f"Authorization: Api-Key {key}\r\n")) as connection:
            head, _, body = connection.recv(1000).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408")
            assert json.loads(body)["status"] == 408
    for sent in UNFINISHED[:2]:
        with _connect(stack, sent) as connection:
            connection.settimeout(10)
            connection.recv(1000)


def test_a_slow_upload_holds_no_transaction(stack: Stack, key: str) -> None:
    address = urlsplit(stack.web_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            (
                "POST /v1/batches HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Api-Key {key}\r\nContent-Type: application/x-ndjson\r\n"
                'Idempotency-Key: k\r\nContent-Length: 300000\r\n\r\n{"description": "A"}\n'
            ).encode()
        )
        time.sleep(1)
        assert _open_transactions(stack) == 0


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/v1/normalizations", "application/json", '{"description": "NETFLIX.COM"}    '),
        ("/normalize_merchant", "application/json", '{"description": "NETFLIX.COM"}    '),
        ("/v1/batches", "application/json", '{"transactions": [{"description": "A"}]}    '),
        ("/v1/batches", "text/csv", "description,amount\nNETFLIX.COM,12.99\nSPOTIFY,1999.00\n"),
        ("/v1/batches", "application/x-ndjson", '{"description": "A"}\n' * 3 + "\n" * 4),
    ],
)
def test_nothing_is_taken_of_a_body_that_breaks_off(
    stack: Stack, key: str, path: str, media_type: str, body: str
) -> None:
    address = urlsplit(stack.web_url)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Api-Key {key}\r\n"
        f"Content-Type: {media_type}\r\nIdempotency-Key: {path}{media_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    status = []
    for sent in (body[:-4], body):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall((head + sent).encode())
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                status.append(answer.read().split()[1])
    assert status == [b"400", b"202"]


def _upload(stack: Stack, key: str, body: bytes) -> requests.Response:
    headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/x-ndjson"}
    return requests.post(f"{stack.web_url}/v1/batches", data=body, headers=headers, timeout=50)


@pytest.mark.stack(WEB_CONCURRENCY="1")
def test_those_who_upload_what_looks_like_card_numbers_keep_nobody_out(
    stack: Stack, key: str
) -> None:
    another, other = (
        json.loads(stack.manage("create_client", name, "--json"))["api_key"]
        for name in ("another", "other")
    )
    post(stack, other)
    pairs = {f"k{number}": "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 - " * 14 for number in range(16)}
    row = json.dumps({"description": "A", "metadata": pairs}) + "\n"
    body = (row * 500).encode()
    with ThreadPoolExecutor(10) as pool:
        senders = [key, another] * 5
        uploads = [pool.submit(_upload, stack, sender, body) for sender in senders]
        posts = []
        while not all(upload.done() for upload in uploads):
            posts.append(post(stack, other))
        # Those who were refused find room when the others are through.
        assert _upload(stack, key, row.encode()).status_code == 202
    answers = [upload.result() for upload in uploads]

    assert posts
    assert all(seconds < PROMPT_SECONDS for seconds, _ in posts)
    assert {response.status_code for _, response in posts} == {202}
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {202, 429, 503}
    assert {202, 429} <= statuses
    refused = [answer for answer in answers if answer.status_code != 202]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)


@pytest.mark.stack(WEB_CONCURRENCY="1")
def test_a_client_that_uploads_slowly_holds_one_thread(stack: Stack, key: str) -> None:
    address = urlsplit(stack.web_url)
    slow: list[socket.socket] = []
    try:
        for _ in range(8):
            connection = socket.create_connection((address.hostname, address.port), timeout=10)
            connection.sendall(
                (
                    "POST /v1/batches HTTP/1.1\r\nHost: localhost\r\n"
                    f"Authorization: Api-Key {key}\r\nContent-Type: application/x-ndjson\r\n"
                    'Content-Length: 300000\r\n\r\n{"description": "A"}\n'
                ).encode()
            )
            slow.append(connection)
        waiting = set(slow)
        while len(waiting) > 1:
            answered, _, _ = select.select(list(waiting), [], [], 10)
            assert answered, "more than one is read"
            for connection in answered:
                assert connection.recv(1000).startswith(b"HTTP/1.1 429")
                waiting.remove(connection)
        assert not select.select(list(waiting), [], [], 1)[0]
    finally:
        for connection in slow:
            connection.close()


def test_a_body_in_chunks_is_411(stack: Stack, key: str) -> None:
    response = requests.post(
        f"{stack.web_url}/v1/normalizations",
        data=iter([b'{"description": ', b'"A"}']),
        headers={"Authorization": f"Api-Key {key}", "Content-Type": "application/json"},
        timeout=10,
    )
    assert response.status_code == 411
    assert response.headers["content-type"] == "application/problem+json"


def _open_transactions(stack: Stack) -> Any:
    sql = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    )
    return stack.database.rows(sql)[0][0]
