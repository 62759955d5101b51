"""Texts whose key takes too long, or never comes, hold nobody up."""

import contextlib
import time
from unittest import mock

import pytest
from django.db import DataError, OperationalError, transaction

from merchants.catalogue import rulesets
from merchants.matching.heuristic import Key
from merchants.models import AdmissionClaim, NormalizationRequest, Ruleset
from merchants.requests import admission, admission_claims, submission
from merchants.requests.resolutions.keys import KeyLimits
from pave.operations.cluster.worker_names import worker_name
from tests.merchants.cluster import Died, die_for, run_cluster
from tests.merchants.heuristics import FirstWord

pytestmark = [pytest.mark.django_db, pytest.mark.storage, pytest.mark.usefixtures("first_word")]


def test_a_text_that_the_heuristic_cannot_read_fails_alone(submit):
    bad, good = submit("UNREADABLE"), submit("NETFLIX")
    run_cluster()
    good.refresh_from_db()
    assert good.status == "completed"
    admission.admit_suspects()
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, good.status) == ("failed", "completed")


@pytest.fixture
def short_limits(monkeypatch):
    for name in ("merchants.requests.resolutions.keys.ALONE", "merchants.requests.admission.ALONE"):
        monkeypatch.setattr(name, KeyLimits(cpu=0.2, wall=0.2))
    monkeypatch.setattr("merchants.requests.admission.IN_A_BATCH", KeyLimits(cpu=0.05, wall=0.05))


def test_a_text_whose_key_never_comes_holds_nobody_up(submit, stranger, short_limits):
    endless, good = submit("ENDLESS"), submit("NETFLIX")
    theirs = submission.submit(client=stranger.client, fields={"description": "NETFLIX"})
    run_cluster()
    theirs.refresh_from_db()
    assert theirs.status == "completed"
    # Those of the same client are looked at one by one, too.
    assert admission.admit_suspects() == admission.MAX_ALONE + 1
    good.refresh_from_db()
    assert good.status == "completed"
    endless.refresh_from_db()
    assert endless.status == "failed"
    assert endless.error == "The heuristic could not read it: TimeoutError."


def test_many_keys_that_never_come_leave_time_for_the_others(
    submit, stranger, short_limits, monkeypatch
):
    monkeypatch.setattr("merchants.requests.admission.MAX_KEYING_SECONDS", 0.12)
    for number in range(5):
        submit(f"ENDLESS {number}")
    submission.submit(client=stranger.client, fields={"description": "NETFLIX"})
    for _ in range(3):
        run_cluster()
    assert NormalizationRequest.objects.get(description="NETFLIX").status == "completed"
    assert NormalizationRequest.objects.suspect().count() == 5


def test_texts_that_take_long_do_not_hold_up_who_has_sent_others(submit, stranger, monkeypatch):
    monkeypatch.setattr("merchants.requests.admission.KEYING_SECONDS", 0.12)
    monkeypatch.setattr(FirstWord, "key", slow_key(seconds=0.05))
    for number in range(20):
        submit(f"SLOW{number}")
    submission.submit(client=stranger.client, fields={"description": "NETFLIX"})

    admission.admit_batch()

    assert not NormalizationRequest.objects.queued().filter(client=stranger.client).exists()
    left = NormalizationRequest.objects.queued()
    assert 15 < left.count() < 20
    assert set(left.values_list("admission_attempts", flat=True)) == {0}  # as if never claimed
    assert not AdmissionClaim.objects.exists()


def test_a_busy_machine_fails_nothing(submit, short_limits, monkeypatch):
    """What took too long among others is taken alone, with more time."""
    submit("SLOW")
    monkeypatch.setattr(FirstWord, "key", slow_key(seconds=0.1))
    run_cluster()
    assert NormalizationRequest.objects.suspect().count() == 1
    assert admission.admit_suspects() == 1
    run_cluster()
    assert NormalizationRequest.objects.get().status == "completed"


def slow_key(seconds):
    def key(self, transaction):
        time.sleep(seconds)
        return Key(transaction.description, shared=True)

    return key


def test_a_key_that_ends_its_process_takes_no_others_along(submit):
    fatal, good = submit("FATAL"), submit("NETFLIX")
    # A worker that died while it worked out their keys.
    admission_claims.claim_queued(10)
    assert admission.admit_batch() == 0
    admission_claims.requeue(worker=worker_name())
    for _ in range(1 + admission.MAX_ALONE):
        # The fatal one is claimed, and its worker dies; the attempt is counted all the same.
        dying = mock.patch.object(admission, "_key", side_effect=die_for("FATAL"))
        with dying, contextlib.suppress(Died):
            admission.admit_suspects()
        admission_claims.requeue(worker=worker_name())
    admission.admit_suspects()
    run_cluster()
    fatal.refresh_from_db()
    good.refresh_from_db()
    assert (fatal.status, good.status) == ("failed", "completed")
    assert fatal.error == "The heuristic could not read it: every attempt was cut off."


def test_a_database_that_goes_away_casts_no_suspicion(submit):
    submit("NETFLIX 1")
    with (
        mock.patch.object(admission, "find_or_create", side_effect=OperationalError),
        pytest.raises(OperationalError),
    ):
        admission.admit_batch()
    assert not NormalizationRequest.objects.suspect().exists()
    run_cluster()
    assert NormalizationRequest.objects.get().status == "completed"


def test_what_cannot_be_written_is_set_aside_and_the_others_are_admitted(submit, monkeypatch):
    good, bad = submit("NETFLIX 1"), submit("BROKEN")
    admit = admission._admit

    def refused(claim, keyed, *others, **limits):
        locked = admit(claim, keyed, *others, **limits)
        if any(key.text == "broken" for key in keyed.requests_by_key):
            raise DataError
        return locked

    with monkeypatch.context() as patch:
        patch.setattr(admission, "_admit", transaction.atomic(refused))
        assert admission.admit_batch() == 2
        while admission.admit_suspects():
            pass
    run_cluster()
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.status, bad.status) == ("completed", "failed")


def test_a_ruleset_published_meanwhile_costs_no_attempt(submit, short_limits, monkeypatch):
    request = submit("SLOW")
    NormalizationRequest.objects.update(admission_attempts=1)
    key = admission._key

    def publish_and_key(*arguments):
        if Ruleset.objects.count() < 8:
            Ruleset.objects.create(content=b"", note="another")
        key(*arguments)

    rulesets.current()
    monkeypatch.setattr(admission, "_key", publish_and_key)
    admission.admit_suspects()
    request.refresh_from_db()
    assert (request.status, request.admission_attempts) == ("processing", 2)
