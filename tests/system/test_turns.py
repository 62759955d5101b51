"""Whoever keeps the web server busy waits for itself: callers take turns for threads."""

import itertools
import json
import select
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import requests

from pave.web_server.worker import HELD_BYTES
from tests.system.sockets import POST, connect
from tests.system.stack import Stack
from tests.system.test_held_connections import TOO_MANY
from tests.system.test_web_server import PROMPT_SECONDS, post

pytestmark = pytest.mark.stack(WEB_CONCURRENCY="1", shared=True)

COMPLETE = POST + 'Content-Length: 30\r\n\r\n{{"description": "NETFLIX.COM"}}'
LIVE = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


def _new_key(stack: Stack, client_id: str) -> str:
    return str(json.loads(stack.manage("create_client", client_id, "--json"))["api_key"])


def _request(key: str, more: str = "") -> str:
    return COMPLETE.format(more + (f"Authorization: Api-Key {key}\r\n" if key else ""))


@contextmanager
def _in_progress(
    stack: Stack, count: int, request: str, *, sources: Sequence[str] = ("",)
) -> Iterator[list[socket.socket]]:
    connections: list[socket.socket] = []
    try:
        each = itertools.islice(itertools.cycle(sources), count)
        for source in each:
            with suppress(ConnectionResetError):  # of more than there may be, some make room
                connections.append(connect(stack, request, source=source))
        yield connections
    finally:
        for connection in connections:
            connection.close()


@contextmanager
def _asking(stack: Stack, count: int, *asked: str, addresses: int = 1) -> Iterator[None]:
    """Keep so many connections, each of which asks again as soon as it is answered."""
    sources = itertools.cycle(f"127.0.1.{number + 1}" for number in range(addresses))
    ended = threading.Event()
    address = urlsplit(stack.web_url)

    def ask() -> None:
        with selectors.DefaultSelector() as poller:
            while not ended.is_set():
                while len(poller.get_map()) < count and not ended.is_set():
                    try:
                        connection = socket.create_connection(
                            (address.hostname, address.port), 30, (next(sources), 0)
                        )
                    except OSError:
                        continue
                    again = asked[len(poller.get_map()) % len(asked)].encode()
                    poller.register(connection, selectors.EVENT_READ, again)
                    with suppress(OSError):
                        connection.sendall(again)
                for key, _ in poller.select(0.1):
                    with suppress(OSError):
                        if b"HTTP/1.1 503" not in (read := key.fileobj.recv(65_536)) and read:
                            key.fileobj.sendall(key.data)
                            continue
                    poller.unregister(key.fileobj)
                    key.fileobj.close()
            for key in list(poller.get_map().values()):
                key.fileobj.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _live(stack: Stack, source: str) -> int:
    address = urlsplit(stack.web_url)
    asked = HTTPConnection(address.hostname, address.port, timeout=30, source_address=(source, 0))
    try:
        asked.request("GET", "/livez", headers={"Host": "localhost"})
        return asked.getresponse().status
    finally:
        asked.close()


@contextmanager
def _kept(stack: Stack, key: str) -> Iterator[Callable[[], int]]:
    """Post on one connection, which fails if it was cut off meanwhile."""
    address = urlsplit(stack.web_url)
    connection = HTTPConnection(address.hostname, address.port, timeout=30)
    connection.connect()
    connection.auto_open = 0
    headers = {"Authorization": f"Api-Key {key}", "Content-Type": "application/json"}

    def ask() -> int:
        body = json.dumps({"description": "NETFLIX.COM"})
        connection.request("POST", "/v1/normalizations", body, {"Host": "localhost", **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    try:
        yield ask
    finally:
        connection.close()


@pytest.mark.stack(WEB_CONCURRENCY="1", PAVE_WEB_THREADS="8", shared=True)
@pytest.mark.parametrize("credential", ["valid", "wrong", "none"])
def test_whoever_has_hundreds_of_requests_in_progress_waits_for_them(
    stack: Stack, key: str, credential: str
) -> None:
    assert post(stack, key)[1].status_code == 202
    for path in ("/livez", "/v1/nothing"):  # where nobody asks for the key
        requests.get(stack.web_url + path, headers={"Authorization": f"Api-Key {key}"}, timeout=30)
    valid = _new_key(stack, f"many-{credential}")
    many = {"valid": valid, "wrong": valid[:-1] + "!", "none": ""}[credential]
    with _in_progress(stack, 500, _request(many)) as in_progress:
        assert post(stack, key)[1].status_code == 202
        answered, _, _ = select.select(in_progress, [], [], 0)
        assert len(answered) < 450  # in the order of arrival it would be 492 at least
        status = b"HTTP/1.1 202" if credential == "valid" else b"HTTP/1.1 401"
        assert {connection.recv(12) for connection in in_progress} == {status}


def test_more_requests_in_progress_than_connections_are_refused_with_an_answer(
    stack: Stack, key: str
) -> None:
    assert post(stack, key)[1].status_code == 202
    with _in_progress(stack, TOO_MANY, _request("wrong")) as in_progress:
        assert post(stack, key)[0] < PROMPT_SECONDS
        assert _live(stack, "127.0.0.2") == 200
        answers = {connection.recv(12) for connection in in_progress}
    assert answers <= {b"HTTP/1.1 401", b"HTTP/1.1 503"}


@pytest.mark.parametrize("callers", [1, 2, 3, 6])
def test_callers_who_keep_all_connections_busy_keep_nobody_out(
    stack: Stack, key: str, callers: int
) -> None:
    assert post(stack, key)[1].status_code == 202
    keys = (_new_key(stack, f"busy-{callers}-{number}") for number in range(callers - 1))
    with _asking(stack, 1_020, _request(""), *map(_request, keys)), _kept(stack, key) as ask:
        for _ in range(20):
            assert post(stack, key)[1].status_code == 202
            assert _live(stack, "127.0.0.2") == 200
            assert ask() == 202


def test_strangers_who_only_connect_have_no_requests_of_a_client_refused(
    stack: Stack, key: str
) -> None:
    """However many the client has in progress."""
    many = _new_key(stack, "many-in-progress")
    assert post(stack, many)[1].status_code == 202
    with (
        _in_progress(stack, 700, "") as silent,
        _in_progress(stack, 290, _request(many)) as in_progress,
        _in_progress(stack, 60, "", sources=("127.0.1.1",)),
    ):
        answers = {connection.recv(12) for connection in in_progress}
        assert any(select.select(silent, [], [], 1)[:1]), "all had room"
    assert answers == {b"HTTP/1.1 202"}


@pytest.mark.parametrize("addresses", [6, 200])
def test_strangers_of_many_addresses_cut_off_no_connection_that_a_client_keeps(
    stack: Stack, key: str, addresses: int
) -> None:
    with _asking(stack, 1_020, _request(""), addresses=addresses), _kept(stack, key) as ask:
        assert {ask() for _ in range(60)} == {202}


def test_a_connection_that_is_new_is_not_the_one_that_makes_room(stack: Stack, key: str) -> None:
    address = urlsplit(stack.web_url)
    with _in_progress(stack, TOO_MANY, LIVE) as kept:
        for connection in kept:  # once they are answered, they are idle
            with suppress(OSError):
                connection.recv(100)
        for _ in range(20):
            with socket.create_connection((address.hostname, address.port), 30) as new:
                connect(stack, LIVE).close()  # the next one, which needs room, too
                new.sendall(LIVE.encode())
                assert new.recv(12) == b"HTTP/1.1 200"


@pytest.mark.stack(WEB_CONCURRENCY="1", PAVE_WEB_THREADS="12", shared=True)
def test_clients_that_wait_for_results_hold_no_threads_of_strangers(stack: Stack) -> None:
    """Also with keys that the process has not seen before."""
    waiting = "Prefer: wait=10\r\n"
    first, second = (_request(_new_key(stack, f"waits-{n}"), waiting) for n in range(2))
    with (
        _in_progress(stack, 4, first.replace("NETFLIX.COM", "QWERTY SHOP")) as connections,
        _in_progress(stack, 4, second.replace("NETFLIX.COM", "ASDFGH SHOP")) as others,
    ):
        assert _live(stack, "127.0.0.1") == 200
        answered, _, _ = select.select(connections + others, [], [], 0)
        assert not answered


@pytest.mark.parametrize("sent", ["all but a byte", "nothing"])
def test_strangers_who_do_not_finish_their_bodies_keep_no_others_out(
    stack: Stack, key: str, sent: str
) -> None:
    size = 256 * 1024
    large = POST + f"Content-Length: {size}\r\n\r\n"
    unfinished = large.format("") + (size - 1) * " " * (sent == "all but a byte")
    fresh = _new_key(stack, f"fresh-{sent.split()[0]}")
    many = 2 * HELD_BYTES // size

    def try_to_post(known: str) -> None:
        with connect(stack, large.format(f"Authorization: Api-Key {known}\r\n")) as client:
            client.sendall(b"{}" + b" " * (size - 2))
            assert client.recv(12) == b"HTTP/1.1 400"

    with _in_progress(stack, many, unfinished, sources=["127.0.1.1"]) as held:
        try_to_post(key)
        try_to_post(fresh)
        refused, _, _ = select.select(held, [], [], 0)
        assert bool(refused) == (sent == "all but a byte")
    addresses = [f"127.0.2.{number + 1}" for number in range(200)]
    with _in_progress(stack, many, unfinished, sources=addresses):
        try_to_post(key)
        try_to_post(_new_key(stack, f"newer-{sent.split()[0]}"))


@pytest.mark.parametrize("who", ["stranger", "client"])
def test_who_takes_all_connections_cuts_off_neither_new_ones_nor_slow_ones_of_others(
    stack: Stack, key: str, who: str
) -> None:
    taker = "" if who == "stranger" else _new_key(stack, "takes-all")
    for known in {key, taker} - {""}:
        assert post(stack, known)[1].status_code == 202
    fresh = _new_key(stack, f"slow-beside-{who}")
    half = POST.format(f"Authorization: Api-Key {taker}\r\n" if taker else "")
    half += "Content-Length: 30\r\n\r\n"
    with ExitStack() as open_ones:
        slow = []
        for sender in (key, fresh):
            whole = _request(sender)
            slow.append(open_ones.enter_context(connect(stack, whole[:-10])))
        assert _live(stack, "127.0.0.1") == 200
        open_ones.enter_context(_asking(stack, 1_020, half))
        for _ in range(15):
            with connect(stack, "") as new:
                time.sleep(0.02)
                new.sendall(_request(key).encode())
                assert new.recv(12) == b"HTTP/1.1 202"
        for connection in slow:
            connection.sendall(whole[-10:].encode())
            assert connection.recv(12) == b"HTTP/1.1 202"
