"""With more connections than a process may have, those of who has most end."""

from types import SimpleNamespace
from typing import Any

from pave.web_server.eviction import surplus
from pave.web_server.turns import STRANGERS


class _Connection(SimpleNamespace):
    __hash__ = object.__hash__


def _make(caller: str, count: int, address: str = "", since: float = 0) -> list[Any]:
    return [_Connection(holder=(caller, address), since=since + number) for number in range(count)]


def test_it_is_who_has_most_whether_they_wait_for_the_client_or_for_a_thread() -> None:
    idle, queued = _make("a", 20), _make("b", 30)
    assert surplus(idle, queued) == queued[-1:]
    more = _make("a", 11)
    assert surplus(idle, [*queued, *more]) == idle[:1]


def test_requests_of_a_client_are_not_refused_for_strangers_who_only_connect() -> None:
    silent, queued = _make(STRANGERS, 700, "192.0.2.1"), _make("a", 300)
    assert surplus(silent, queued) == silent[:14]


def test_who_has_just_connected_stays_while_callers_keep_all_connections_busy() -> None:
    newcomer, kept = _make(STRANGERS, 1, "192.0.2.1", since=1_000), _make("e", 3)
    callers = [each for caller in "abcd" for each in _make(caller, 249)]
    assert {each.holder for each in surplus([*kept, *newcomer], callers)} == {("a", "")}


def test_strangers_are_one_caller_and_those_of_the_address_with_most_end() -> None:
    client = _make("a", 60)
    few = [_make(STRANGERS, 1, f"192.0.2.{number}")[0] for number in range(60)]
    many = _make(STRANGERS, 3, "198.51.100.1", since=1_000)
    assert surplus([*client, *few, *many], []) == many[:1]


def test_of_addresses_that_have_as_many_the_newest_stays() -> None:
    newcomer = _make(STRANGERS, 1, "192.0.2.1", since=1_000)
    others = [_make(STRANGERS, 1, f"198.51.100.{n}", since=n)[0] for n in range(100)]
    assert surplus(newcomer, others) == others[:2]


def test_requests_of_a_holder_end_only_after_those_that_wait_for_it() -> None:
    queued, idle = _make("a", 100), _make("a", 1, since=1_000)
    assert surplus(idle, queued) == [*idle, queued[-1]]


def test_of_none_none_ends() -> None:
    assert surplus([], []) == []
