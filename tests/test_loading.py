"""What takes a while to load is loaded by one thread, while the others wait for it."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from merchants.catalogue import draft, preview, rulesets
from merchants.matching.types import Match, Transaction
from pave.api.openapi.views import description
from pave.core.caching.loading import load_once
from tests.factories import NormalizationRequestFactory

THREADS = 8
LOAD_SECONDS = 0.2


class SlowToMake:
    """A heuristic whose data take a while to read."""

    made = 0

    def __init__(self) -> None:
        SlowToMake.made += 1
        time.sleep(LOAD_SECONDS)

    def key(self, transaction: Transaction) -> str:
        return transaction.description

    def match(self, transaction: Transaction) -> Match:
        return Match(name="Shop", method="cleaned", confidence=0.5, descriptor="SHOP")


@pytest.fixture
def at_once() -> Iterator[Callable[[Callable[[], Any]], list[Any]]]:
    """Call something in many threads at one moment, and return what each got."""
    start = threading.Barrier(THREADS)

    def run(call: Callable[[], Any]) -> Any:
        start.wait(10)
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        yield lambda call: list(pool.map(run, [call] * THREADS))


def test_threads_that_need_a_heuristic_at_once_share_one(at_once: Any, settings: Settings) -> None:
    settings.PAVE_HEURISTIC = "tests.test_loading.SlowToMake"
    SlowToMake.made = 0
    got = at_once(lambda: rulesets.heuristic_for(1))
    assert SlowToMake.made == 1
    assert len(set(map(id, got))) == 1
    assert rulesets.heuristic_for(2) is not got[0]
    assert SlowToMake.made == 2


def test_threads_that_need_the_description_at_once_share_one(at_once: Any) -> None:
    description.cache_clear()
    assert len(set(map(id, at_once(description)))) == 1


@pytest.mark.django_db(transaction=True)
def test_a_draft_that_many_preview_at_once_is_previewed_once_and_keeps_few_waiting(
    at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    NormalizationRequestFactory(description="KRUSTY BURGER 99")
    draft.fingerprint()  # the first ruleset is there
    worked_out = []

    def slowly() -> preview.Preview:
        worked_out.append("preview")
        time.sleep(LOAD_SECONDS)
        return preview.preview()

    monkeypatch.setattr(draft, "preview", slowly)
    got = at_once(lambda: draft.preview_of_draft(compute=True))
    assert {found.examined for found in got if found is not None} == {1}
    assert len(worked_out) == 1
    assert draft.preview_of_draft(compute=False) is not None


def test_after_a_load_that_fails_the_next_one_tries_again() -> None:
    tries = []

    @load_once()
    def flaky() -> str:
        tries.append("try")
        if len(tries) == 1:
            raise ConnectionError
        return "content"

    with pytest.raises(ConnectionError):
        flaky()
    assert [flaky(), flaky()] == ["content"] * 2
    assert len(tries) == 2


def test_only_the_latest_are_kept() -> None:
    made = []

    @load_once(maxsize=2)
    def content_of(number: int) -> int:
        """Return what a ruleset holds."""
        made.append(number)
        return number

    for number in (1, 2, 1, 3, 1, 2):
        assert content_of(number) == number
    assert made == [1, 2, 3, 2]
    assert content_of.__doc__ == "Return what a ruleset holds."
