"""With more connections than a process may have, those of who has most end."""

from types import SimpleNamespace
from typing import Any

from pave.web_server.eviction import surplus
from pave.web_server.turns import STRANGERS


class _Connection(SimpleNamespace):
    __hash__ = object.__hash__


def _make(caller: str, count: int, address: str = "") -> list[Any]:
    return [_Connection(holder=(caller, address)) for _ in range(count)]


def _since(*connections: Any) -> dict[Any, float]:
    """Return those that wait for their client, the first one for the longest."""
    return {each: float(when) for when, each in enumerate(connections)}


def test_it_is_who_has_most_whether_they_wait_for_the_client_or_for_a_thread() -> None:
    idle, queued = _make("a", 20), _make("b", 30)
    assert surplus(_since(*idle), queued) == queued[:1]
    more = _make("a", 11)
    assert surplus(_since(*idle), [*queued, *more]) == idle[:1]


def test_requests_of_a_client_are_not_refused_for_strangers_who_only_connect() -> None:
    silent, queued = _make(STRANGERS, 700, "192.0.2.1"), _make("a", 300)
    assert surplus(_since(*silent), queued) == silent[:14]


def test_who_has_just_connected_stays_while_callers_keep_all_connections_busy() -> None:
    newcomer, kept = _make(STRANGERS, 1, "192.0.2.1"), _make("e", 3)
    callers = [each for caller in "abcd" for each in _make(caller, 249)]
    assert surplus(_since(*kept, *newcomer), callers)[0].holder == ("a", "")


def test_strangers_are_one_caller_and_those_of_the_address_with_most_end() -> None:
    client = _make("a", 60)
    few = [_make(STRANGERS, 1, f"192.0.2.{number}")[0] for number in range(60)]
    many = _make(STRANGERS, 3, "198.51.100.1")
    assert surplus(_since(*client, *few, *many), []) == many[:1]


def test_requests_of_a_holder_end_only_after_those_that_wait_for_it() -> None:
    queued, idle = _make("a", 100), _make("a", 1)
    assert surplus(_since(*idle), queued) == [*idle, queued[0]]


def test_of_none_none_ends() -> None:
    assert surplus({}, []) == []
