"""Callers take turns for the web server's threads, whatever one of them sends."""

from types import SimpleNamespace
from typing import Any

import pytest

from pave.web_server import turns
from pave.web_server.turns import Turns


def _request(of: str, line: str = "Authorization: Api-Key {}") -> tuple[Any, bytes]:
    head = f"GET / HTTP/1.1\r\nHost: localhost\r\n{line.format(of)}\r\n\r\n" if of else "GET / \r\n"
    return SimpleNamespace(of=of), head.encode()


def _answered(tried: Turns, of: str, caller: str | None, **how: str) -> str:
    """Answer one request by itself; return whose turn it had."""
    tried.join(*_request(of, **how))
    connection = tried.take()
    assert connection.of == of
    tried.end(connection, caller)
    return str(connection.caller)


def _join(tried: Turns, *callers: str) -> None:
    for of in callers:
        tried.join(*_request(of))


def _take_all(tried: Turns) -> list[Any]:
    return list(iter(tried.take, None))


@pytest.fixture
def tried() -> Turns:
    """Four threads; it knows the keys of a, b and c."""
    made = Turns(4)
    for key in "abc":
        _answered(made, key, f"client {key}")
    return made


def test_who_sends_much_waits_for_its_own(tried: Turns) -> None:
    _join(tried, *"aaaa", *"bb", "c")
    taken = _take_all(tried)
    assert [connection.of for connection in taken] == ["a", "b", "c", "a"]
    for connection in taken:
        tried.end(connection, f"client {connection.of}")
    assert [connection.of for connection in _take_all(tried)] == ["b", "a", "a"]


def test_none_has_more_than_half_of_the_threads(tried: Turns) -> None:
    _join(tried, *"aaaa")
    first, _ = _take_all(tried)
    _join(tried, "b")
    assert [connection.of for connection in _take_all(tried)] == ["b"]
    tried.end(first, "client a")
    assert [connection.of for connection in _take_all(tried)] == ["a"]


def test_a_server_with_one_thread_gives_it_to_each() -> None:
    tried = Turns(1)
    _join(tried, "a", "b")
    first = tried.take()
    assert tried.take() is None
    tried.end(first, "client a")
    assert tried.take().of == "b"


def test_those_who_are_not_known_have_one_turn(tried: Turns) -> None:
    _join(tried, "", "x", "y", "z", "a")
    assert [connection.of for connection in _take_all(tried)] == ["", "a", "x"]


def test_a_key_that_is_revoked_has_no_turn_of_its_client_any_more(tried: Turns) -> None:
    assert _answered(tried, "a", None) == "client a"
    assert _answered(tried, "a", None) == turns.STRANGERS


def test_keys_of_one_client_have_one_turn(tried: Turns) -> None:
    assert _answered(tried, "d", "client a") == turns.STRANGERS
    assert _answered(tried, "d", "client a") == "client a"


@pytest.mark.parametrize("line", ["authorization:  api-key   {}", "AUTHORIZATION:Api-Key {} \t"])
def test_a_key_is_known_however_its_header_is_written(tried: Turns, line: str) -> None:
    assert _answered(tried, "a", "client a", line=line) == "client a"


def test_staff_are_known_by_their_cookies(tried: Turns) -> None:
    cookies = "Cookie: csrftoken=1; sessionid={}"
    assert _answered(tried, "s", "staff 1", line=cookies) == turns.STRANGERS
    assert _answered(tried, "s", "staff 1", line=cookies) == "staff 1"
    assert _answered(tried, "t", None, line=cookies) == turns.STRANGERS


def test_the_keys_used_last_are_remembered(tried: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_CREDENTIALS", 3)
    _answered(tried, "a", "client a")
    _answered(tried, "d", "client d")
    known = [_answered(tried, key, f"client {key}") for key in "acdb"]
    assert known == ["client a", "client c", "client d", turns.STRANGERS]


def test_room_is_made_by_the_newest_of_who_has_very_many(tried: Turns) -> None:
    _join(tried, *"bb", *"aaaa")
    newest = _request("a")
    tried.join(*newest)
    assert tried.dismiss(4) is newest[0]
    assert tried.dismiss(4) is None
