"""Clients that wait, or send slowly, keep nobody out."""

import json
import select
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.system.stack import ROOT, Stack

WAIT_SECONDS = 6
# On two busy cores; nobody who was kept out would be answered in this time.
PROMPT_SECONDS = 4
PASSWORD = "right-horse-battery"
MAKE_CLIENTS = """
from pave.clients import api_keys
from pave.clients.models import Client
for number in range(24):
    client = Client.objects.create(client_id=f"uploads {number}", name="Uploads")
    print(api_keys.issue(client=client)[1])
"""
BOUND = 2  # of those who wait, in each of two processes


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


def test_who_asks_for_the_description_at_once_after_a_start_gets_it(stack: Stack) -> None:
    """Half of them got 500: it is made by the first who asks."""

    def ask(_: int) -> tuple[int, bytes]:
        response = requests.get(f"{stack.web_url}/openapi.json", timeout=60)
        return response.status_code, response.content

    with ThreadPoolExecutor(16) as pool:
        [(status, described)] = set(pool.map(ask, range(32)))
    assert status == 200
    assert json.loads(described)["openapi"] == "3.1.1"


@pytest.mark.stack(PAVE_STATEMENT_TIMEOUT="1")
def test_a_post_that_waits_for_a_locked_row_is_503_and_others_are_accepted(stack: Stack) -> None:
    held, other = (
        stack.create_client(name, "http://127.0.0.1:9/")["api_key"] for name in ("held", "other")
    )
    with closing(psycopg2.connect(stack.database.url)) as psql, psql.cursor() as cursor:
        cursor.execute("SELECT FROM clients_client WHERE client_id = 'held' FOR UPDATE")
        seconds, response = post(stack, held)
        assert response.status_code == 503, response.text
        assert seconds < PROMPT_SECONDS
        assert post(stack, other)[1].status_code == 202
    assert post(stack, held)[1].status_code == 202
    # Nothing of it was accepted.
    assert stack.database.rows("SELECT count(*) FROM merchants_normalizationrequest") == [(2,)]


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


@pytest.mark.stack(shared=True)
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


@pytest.mark.stack(shared=True)
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


def upload_batch(
    stack: Stack, key: str, body: bytes, media_type: str = "application/x-ndjson"
) -> requests.Response:
    headers = {"Authorization": f"Api-Key {key}", "Content-Type": media_type}
    return requests.post(f"{stack.web_url}/v1/batches", data=body, headers=headers, timeout=50)


@pytest.mark.stack(WEB_CONCURRENCY="1", shared=True)
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
        uploads = [pool.submit(upload_batch, stack, sender, body) for sender in senders]
        posts = []
        while not all(upload.done() for upload in uploads):
            posts.append(post(stack, other))
        # Those who were refused find room when the others are through.
        assert upload_batch(stack, key, row.encode()).status_code == 202
    answers = [upload.result() for upload in uploads]

    assert posts
    assert all(seconds < PROMPT_SECONDS for seconds, _ in posts)
    assert {response.status_code for _, response in posts} == {202}
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {202, 429, 503}
    assert {202, 429} <= statuses
    refused = [answer for answer in answers if answer.status_code != 202]
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)


@pytest.mark.stack(WEB_CONCURRENCY="1", shared=True)
def test_many_clients_that_upload_as_much_as_they_may_do_not_fill_the_memory(
    stack: Stack, key: str
) -> None:
    made = stack.manage("shell", "--no-imports", "-c", MAKE_CLIENTS)
    senders = made.split()
    unknown = ", ".join(f'"member {number}": "{"x" * 90}"' for number in range(1_500))
    row = f'{{"description": "A", {unknown}}}'
    body = f'{{"transactions": [{", ".join([row] * 180)}], {unknown}}}'.encode()
    [worker] = stack.web_workers()
    peak = before = worker.memory_full_info().uss
    with ThreadPoolExecutor(len(senders)) as pool:
        uploads = [
            pool.submit(upload_batch, stack, sender, body, "application/json") for sender in senders
        ]
        while not all(upload.done() for upload in uploads):
            peak = max(peak, worker.memory_full_info().uss)
            time.sleep(0.02)
    statuses = {upload.result().status_code for upload in uploads}
    assert statuses == {202, 503}
    assert peak - before < 4 * len(body)


@pytest.mark.stack(WEB_CONCURRENCY="1", shared=True)
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


@pytest.mark.stack(shared=True)
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
