"""Callers take turns for the web server's threads, whatever one of them sends."""

from ipaddress import ip_network
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from pave.web_server import turns
from pave.web_server.turns import Turns

_ports = count(1)


def _request(
    of: str, address: str = "192.0.2.1", line: str = "Authorization: Api-Key {}"
) -> tuple[Any, bytes]:
    head = f"GET / HTTP/1.1\r\nHost: localhost\r\n{line.format(of)}\r\n\r\n" if of else "GET / \r\n"
    return SimpleNamespace(of=of, client=(address, next(_ports))), head.encode("latin-1")


def _answer(tried: Turns, of: str, caller: str | None, **how: str) -> str:
    """Answer one request by itself; return whose turn it had.

    Its caller is found out meanwhile, if that is not None.
    """
    _join(tried, of, **how)
    connection = tried.take()
    assert connection.of == of
    had = str(connection.holder[0])
    if caller is not None:
        tried.identify(connection, caller)
    tried.end(connection)
    return had


def _join(tried: Turns, *callers: str, **how: str) -> None:
    for of in callers:
        connection, head = _request(of, **how)
        tried.recognize(connection, head)
        tried.join(connection)


def _take_all(tried: Turns) -> list[Any]:
    return list(iter(tried.take, None))


@pytest.fixture
def tried() -> Turns:
    """Four threads; it knows the keys of a, b and c."""
    made = Turns(4)
    for key in "abc":
        _answer(made, key, f"client {key}")
    return made


def test_who_sends_much_waits_for_its_own(tried: Turns) -> None:
    _join(tried, *"aaaa", *"bb", "c")
    taken = _take_all(tried)
    assert [connection.of for connection in taken] == ["a", "b", "c", "a"]
    for connection in taken:
        tried.end(connection)
    assert [connection.of for connection in _take_all(tried)] == ["b", "a", "a"]


def test_none_has_more_than_half_of_the_threads(tried: Turns) -> None:
    _join(tried, *"aaaa")
    first, _ = _take_all(tried)
    _join(tried, "b")
    assert [connection.of for connection in _take_all(tried)] == ["b"]
    tried.end(first)
    assert [connection.of for connection in _take_all(tried)] == ["a"]


def test_a_server_with_one_thread_gives_it_to_each() -> None:
    tried = Turns(1)
    _join(tried, "a", "b")
    first = tried.take()
    assert tried.take() is None
    tried.end(first)
    assert tried.take().of == "b"


def test_those_who_are_not_known_have_one_turn(tried: Turns) -> None:
    _join(tried, "", "x", "y", "z", "a")
    assert [connection.of for connection in _take_all(tried)] == ["", "a", "x"]


def test_those_who_are_not_known_take_turns_by_address(tried: Turns) -> None:
    _join(tried, *"xyz")
    _join(tried, "probe", address="127.0.0.1")
    assert [connection.of for connection in _take_all(tried)] == ["x", "probe"]


def test_of_ipv6_an_address_is_the_network_that_one_machine_has(tried: Turns) -> None:
    for number in range(3):
        _join(tried, "x", address=f"2001:db8:1:1::{number}")
    _join(tried, "y", address="2001:db8:1:2::1")
    assert [connection.of for connection in _take_all(tried)] == ["x", "y"]


def test_behind_a_trusted_proxy_it_is_the_address_that_this_names(
    tried: Turns, settings: Any
) -> None:
    settings.PAVE_TRUSTED_PROXIES = [ip_network("192.0.2.0/24")]
    line = "x-forwarded-for: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.{}"
    _join(tried, "7", "7", "8", line=line)
    assert [connection.of for connection in _take_all(tried)] == ["7", "8"]


def test_who_becomes_known_has_no_more_turns_as_a_stranger(tried: Turns) -> None:
    _join(tried, *"xxxx", "y")
    first, second = _take_all(tried)
    for connection in (first, second):
        tried.identify(connection, "client x")
    assert [connection.of for connection in _take_all(tried)] == ["y"]
    tried.end(first)
    assert [connection.of for connection in _take_all(tried)] == ["x"]


def test_who_is_identified_leaves_the_strangers_threads(tried: Turns) -> None:
    """Also if the answer takes long: a client may wait for a result."""
    _join(tried, *"xyz")
    first, _ = _take_all(tried)
    tried.identify(first, "client x")
    assert [connection.of for connection in _take_all(tried)] == ["z"]
    _join(tried, *"xx")
    assert [connection.of for connection in _take_all(tried)] == ["x"]


def test_a_key_that_is_revoked_has_no_turn_of_its_client_any_more(tried: Turns) -> None:
    assert _answer(tried, "a", turns.STRANGERS) == "client a"
    assert _answer(tried, "a", turns.STRANGERS) == turns.STRANGERS


def test_a_request_that_needs_no_key_changes_nothing(tried: Turns) -> None:
    assert _answer(tried, "a", None) == "client a"
    assert _answer(tried, "a", None) == "client a"


def test_keys_of_one_client_have_one_turn(tried: Turns) -> None:
    assert _answer(tried, "d", "client a") == turns.STRANGERS
    assert _answer(tried, "d", "client a") == "client a"


@pytest.mark.parametrize(
    "line",
    [
        "authorization:  api-key {}",
        "AUTHORIZATION:Api-Key   {} \t",
        "Authorization: Api-Key \t{}\xa0\x85",
    ],
)
def test_a_key_is_known_however_its_header_is_written(tried: Turns, line: str) -> None:
    assert _answer(tried, "a", "client a", line=line) == "client a"


@pytest.mark.parametrize(
    "line", ["Cookie: sessionid={}", "cookie: csrftoken=1; sessionid={}; messages=hello"]
)
def test_staff_are_known_by_their_session(tried: Turns, line: str) -> None:
    assert (
        _answer(tried, "s", "staff 1", line="Cookie: csrftoken=1; sessionid={}") == turns.STRANGERS
    )
    assert _answer(tried, "s", "staff 1", line=line) == "staff 1"
    assert _answer(tried, "s", None, line="Cookie: xsessionid={}") == turns.STRANGERS


def test_of_one_client_the_latest_keys_are_remembered_and_of_others_all(
    tried: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MAX_CREDENTIALS", 2)
    for key in ("a2", "a3"):
        assert _answer(tried, key, "client a") == turns.STRANGERS
    known = {key: _answer(tried, key, None) for key in ("a", "a2", "a3", "b")}
    assert known == {"a": "", "a2": "client a", "a3": "client a", "b": "client b"}


def test_a_request_that_is_refused_waits_no_more(tried: Turns) -> None:
    _join(tried, *"bb", *"aa")
    newest = next(each for each in tried.queued() if each.of == "a")
    tried.leave(newest)
    assert all(each is not newest for each in tried.queued())
    for each in list(tried.queued()):
        tried.leave(each)
    assert tried.take() is None
