"""What a worker claims at once."""

import threading

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.matching.types import Match
from merchants.models import NormalizationRequest, Resolution, Waiter
from merchants.requests import admission, submission, worker
from merchants.requests.resolutions import attempts, claims
from tests.merchants.heuristics import FirstWord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]


class Waits(FirstWord):
    """``WAIT`` ends only when everything else has been put down."""

    seen: list[str] = []

    def match(self, transaction):
        word = transaction.description.split()[0]
        Waits.seen.append(word)
        if word == "WAIT":
            assert put_down.wait(20)
        return Match(name=word.title(), method="cleaned", confidence=0.5, descriptor=word)


put_down = threading.Event()


@pytest.fixture(autouse=True)
def heuristic(settings):
    settings.PAVE_HEURISTIC = "tests.merchants.test_worker.Waits"
    Waits.seen = []
    put_down.clear()


@pytest.fixture
def asked(client_1234):
    def asked(*descriptions):
        for description in descriptions:
            submission.submit(client=client_1234.client, fields={"description": description})
            admission.admit_batch()

    return asked


def states():
    return dict(Resolution.objects.values_list("key", "status"))


def keys(claimed):
    return [claim.resolution.key for claim in claimed]


def test_many_fast_resolutions_cost_few_statements(asked):
    costs = []
    for letter, size in (("A", 2), ("B", 3), ("C", 40)):
        asked(*(f"{letter}{number}" for number in range(size)))
        claimed = claims.claim(worker="w", limit=64)
        assert len(claimed) == size
        with CaptureQueriesContext(connection) as captured:
            worker.work(claimed)
        costs.append(len([one for one in captured if "pave_cache" not in one["sql"]]))
    # One for each begins it; all else is the same for three and for forty.
    assert costs[2] - costs[1] == 40 - 3
    assert set(states().values()) == {"resolved"}
    assert NormalizationRequest.objects.filter(status="completed").count() == 45


def test_nobody_waits_for_a_slow_run(asked, monkeypatch):
    asked("ONE", "WAIT", "THREE", "FOUR")
    # Longer than a busy machine takes for a run that does nothing.
    monkeypatch.setattr(worker, "SLOW_SECONDS", 1.5)
    monkeypatch.setattr(worker, "LONG_SECONDS", 30)
    stored = []

    def release(resolutions):
        attempts.release(resolutions)
        stored.append(states())
        put_down.set()

    monkeypatch.setattr(worker, "release", release)
    claimed = claims.claim(worker="w", limit=4)

    worker.work(claimed)

    # While it ran, what was answered was stored, and what was not begun put back.
    assert Waits.seen == ["ONE", "WAIT"]
    assert stored == [{"one": "resolved", "wait": "running", "three": "pending", "four": "pending"}]
    assert states() == {
        "one": "resolved",
        "wait": "resolved",
        "three": "pending",
        "four": "pending",
    }
    untouched = Resolution.objects.filter(key__in=["three", "four"])
    assert set(untouched.values_list("attempts", "claimed_by", "started_at")) == {(0, "", None)}
    worker.resolve_due()
    assert set(states().values()) == {"resolved"}


def test_a_resolution_that_had_an_attempt_is_taken_alone(asked):
    asked("ONE", "TWO", "THREE")
    Resolution.objects.filter(key="one").update(attempts=1)
    assert keys(claims.claim(worker="w", limit=64)) == ["one"]
    assert keys(claims.claim(worker="w", limit=64)) == ["two", "three"]
    Resolution.objects.update(status="pending")
    Waiter.objects.update(due_at=F("since"))
    Resolution.objects.filter(key="two").update(attempts=1)
    Resolution.objects.filter(key="one").update(attempts=0)
    assert keys(claims.claim(worker="w", limit=64)) == ["one"]


def test_only_what_was_begun_is_counted_when_the_worker_dies(asked):
    asked("ONE", "TWO", "THREE")
    first, *_ = claims.claim(worker="host/1/2", limit=3)
    assert attempts.begin(first.resolution)

    attempts.requeue(worker="host/1/2")

    counted = dict(Resolution.objects.values_list("key", "attempts"))
    assert counted == {"one": 1, "two": 0, "three": 0}
    assert set(states().values()) == {"pending"}
    due = Waiter.objects.due(timezone.now()).values_list("resolution__key", flat=True)
    assert sorted(due) == ["three", "two"]  # the first one pauses


def test_what_was_given_back_meanwhile_is_not_begun(asked):
    asked("ONE", "TWO")
    claimed = claims.claim(worker="host/1/2", limit=2)
    attempts.requeue(worker="host/1/2")
    worker.work(claimed)
    assert Waits.seen == []
    assert set(states().values()) == {"pending"}


def test_one_that_fails_leaves_the_others_their_answers(asked, monkeypatch):
    def raise_on_two(transaction):
        if transaction.description == "TWO":
            raise RuntimeError
        return Match(name=transaction.description, method="cleaned", confidence=0.5)

    monkeypatch.setattr(Waits, "match", lambda self, transaction: raise_on_two(transaction))
    asked("ONE", "TWO", "THREE")
    worker.work(claims.claim(worker="w", limit=3))
    assert states() == {"one": "resolved", "two": "pending", "three": "resolved"}
    assert Resolution.objects.get(key="two").attempts == 1


def test_an_answer_that_cannot_be_stored_costs_the_others_nothing(asked, monkeypatch):
    def answer(transaction):
        method = "x" * 40 if transaction.description == "TWO" else "cleaned"
        return Match(name=transaction.description, method=method, confidence=0.5, rule_id="²")

    monkeypatch.setattr(Waits, "match", lambda self, transaction: answer(transaction))
    asked("ONE", "TWO", "THREE")
    worker.work(claims.claim(worker="w", limit=3))
    found = states()
    assert (found["one"], found["three"]) == ("resolved", "resolved")
    if connection.vendor == "postgresql":  # SQLite has no lengths
        assert found["two"] == "pending"
        assert Resolution.objects.get(key="two").error == (
            "The heuristic's answer cannot be stored: DataError."
        )


def test_what_the_second_thread_could_not_do_fails_the_task(asked, monkeypatch):
    asked("ONE", "WAIT", "THREE")

    def fail(resolutions):
        put_down.set()
        raise RuntimeError("no release")

    monkeypatch.setattr(worker, "release", fail)
    with pytest.raises(RuntimeError, match="no release"):
        worker.work(claims.claim(worker="w", limit=3))


def test_a_beginning_of_which_no_word_came_back_counts_once(asked):
    asked("ONE", "TWO")
    first, second = [one.resolution for one in claims.claim(worker="w", limit=2)]
    Resolution.objects.filter(pk=first.pk).update(attempts=1)  # the commit that went unanswered
    assert attempts.begin(first)
    assert Resolution.objects.get(pk=first.pk).attempts == first.attempts == 1
    Resolution.objects.filter(pk=second.pk).update(claimed_by="somebody else")
    assert not attempts.begin(second)
