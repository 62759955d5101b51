"""A row that somebody has locked and forgotten stops no answer and no failure but its own."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.models import Resolution, Waiter
from merchants.requests import admission, heuristic_queue, worker
from merchants.requests.resolutions import attempts, claims
from tests.factories import WebhookFactory
from tests.locks import FOR_UPDATE, locked, wait_until_somebody_waits
from tests.merchants.cluster import make_due, run_cluster, statuses
from tests.servers import ON_SQLITE

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("impatient"),
    pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself."),
]


def test_an_answer_that_cannot_be_stored_fails_nobody(submit_for, client_1234, stranger, settings):
    settings.PAVE_RESOLUTION_LEASE = 0
    webhook = WebhookFactory(client=client_1234.client)
    for client in (client_1234.client, stranger.client):
        submit_for("SPOTIFY", client)
    admission.admit_batch()
    with locked(webhook, by=FOR_UPDATE):
        for _ in range(attempts.MAX_ABANDONED + 1):
            make_due()
            worker.resolve_due()
            attempts.sweep()
    attempts.sweep()
    make_due()
    run_cluster()
    assert statuses() == ["completed"] * 2


def test_others_get_the_answer_that_a_client_with_a_locked_webhook_waits_for(
    submit_for, client_1234, stranger
):
    webhook = WebhookFactory(client=client_1234.client)
    for client in (client_1234.client, stranger.client):
        submit_for("SPOTIFY", client)
    admission.admit_batch()
    with locked(webhook, by=FOR_UPDATE):
        run_cluster()
        assert statuses(client=stranger.client) == ["completed"]
        assert statuses(client=client_1234.client) == ["queued"]
    run_cluster()
    assert statuses() == ["completed"] * 2
    assert Resolution.objects.get().attempts == 1


def test_others_are_notified_of_a_failure_that_a_client_with_a_locked_webhook_waits_for(
    submit_for, client_1234, stranger
):
    webhook = WebhookFactory(client=client_1234.client)
    for client in (client_1234.client, stranger.client):
        submit_for("SPOTIFY", client)
    admission.admit_batch()
    [claimed] = claims.claim(worker="w")
    with locked(webhook, by=FOR_UPDATE):
        attempts.fail(claimed.resolution, "It failed.", limit=1)
        assert statuses(client=stranger.client) == ["failed"]
        assert statuses(client=client_1234.client) == ["processing"]
        assert Resolution.objects.get().error == "It failed."
    make_due()
    for _ in range(2):  # it is requeued, and admitted
        run_cluster()
    assert statuses(client=client_1234.client) == ["completed"]


def test_a_failure_that_a_post_reopens_meanwhile_loses_no_waiter(
    submit_for, client_1234, stranger, monkeypatch
):
    webhook = WebhookFactory(client=client_1234.client)
    for client in (client_1234.client, client_1234.client, stranger.client):
        submit_for("SPOTIFY", client)
    admission.admit_batch()
    [claimed] = claims.claim(worker="w")
    update = attempts._update_ours

    def update_then_reopen(*arguments, **values):
        changed = update(*arguments, **values)
        Resolution.objects.update(status="pending", attempts=0)
        return changed

    monkeypatch.setattr(attempts, "_update_ours", update_then_reopen)
    with locked(webhook, by=FOR_UPDATE):
        attempts.fail(claimed.resolution, "It failed.", limit=1)
    assert Waiter.objects.count() == 2
    make_due()
    run_cluster()
    assert statuses() == ["completed"] * 3


def test_who_has_lost_its_waiter_is_notified_of_a_failure_that_a_locked_client_waits_for(
    submit_for, client_1234, stranger
):
    for client in (client_1234.client, stranger.client):
        submit_for("SPOTIFY", client)
    admission.admit_batch()
    [claimed] = claims.claim(worker="w")
    Waiter.objects.filter(client=client_1234.client).delete()
    with locked(WebhookFactory(client=client_1234.client), by=FOR_UPDATE):
        attempts.fail(claimed.resolution, "It failed.", limit=1)
    assert statuses(client=stranger.client) == ["failed"]
    for _ in range(2):  # it is requeued, and admitted
        run_cluster()
    assert statuses(client=client_1234.client) == ["completed"]


def test_an_answer_stops_only_the_requests_that_need_it(submit_for, client_1234):
    submit_for("NETFLIX 1", client_1234.client)
    run_cluster()
    needing, other = submit_for("NETFLIX 2"), submit_for("SPOTIFY")
    with locked(Resolution.objects.get(), by=FOR_UPDATE):
        run_cluster()
        assert statuses(pk=other.pk) == ["completed"]
        assert statuses(pk=needing.pk) == ["queued"]
    run_cluster()
    assert statuses() == ["completed"] * 3


def test_a_request_that_waits_does_not_stop_the_answers_of_others(submit_for, client_1234):
    held = submit_for("NETFLIX 1", client_1234.client)
    submit_for("NETFLIX 2")
    admission.admit_batch()
    with locked(held):
        run_cluster()
        assert statuses() == ["processing", "completed"]
    make_due()
    worker.resolve_due()
    run_cluster()
    assert statuses() == ["completed", "completed"]


def test_a_waiter_stops_only_its_client(submit_for, client_1234, stranger):
    for client, words in ((client_1234.client, "NETFLIX DISNEY"), (stranger.client, "NETFLIX SKY")):
        for word in words.split():
            submit_for(word, client)
    admission.admit_batch()
    with locked(*Waiter.objects.filter(client=client_1234.client)):
        run_cluster()
        assert statuses(client=stranger.client) == ["completed"] * 2
        # The answer was found for the other.
        assert statuses(client=client_1234.client) == ["completed", "processing"]
    run_cluster()
    assert statuses() == ["completed"] * 4
    make_due()
    run_cluster()
    assert not Waiter.objects.exists()


def test_a_waiter_stops_no_admission(submit_for, client_1234):
    submit_for("NETFLIX 1", client_1234.client)
    admission.admit_batch()
    same, other = submit_for("NETFLIX 2", client_1234.client), submit_for("SPOTIFY")
    with locked(Waiter.objects.get()):
        run_cluster()
        assert statuses(pk=other.pk) == ["completed"]
        assert statuses(pk=same.pk) == ["processing"]
        of_another = submit_for("NETFLIX 3")
        run_cluster()
        assert statuses(pk=of_another.pk) == ["completed"]
    run_cluster()
    assert statuses() == ["completed"] * 4


@pytest.mark.parametrize("fails", [False, True])
def test_a_waiter_stops_no_answer(submit_for, client_1234, fails):
    submit_for("NETFLIX 1", client_1234.client)
    submit_for("NETFLIX 2")
    admission.admit_batch()
    [claimed] = claims.claim(worker="w")
    with locked(Waiter.objects.get(client=client_1234.client)):
        if fails:
            attempts.fail(claimed.resolution, "It failed.", limit=1)
        else:
            worker.work([claimed])
        assert statuses() == ["failed" if fails else "completed"] * 2
    make_due()
    run_cluster()
    assert not Waiter.objects.exists()


@pytest.mark.parametrize("model", [Waiter, Resolution])
def test_many_locked_rows_are_waited_for_together_when_claims_are_released(submit_for, model):
    for number in range(8):
        submit_for(f"SHOP{number}")
    admission.admit_batch()
    claimed = [claim.resolution for claim in claims.claim(worker="w", limit=8)]
    with locked(*model.objects.all()), CaptureQueriesContext(connection) as asked:
        attempts.release(claimed)
    assert len(claimed) == 8
    assert sum("set_config('lock_timeout', '100'" in one["sql"] for one in asked) <= 2
    run_cluster()
    make_due()
    attempts.sweep(now=timezone.now() + timedelta(minutes=5))
    run_cluster()
    assert statuses() == ["completed"] * 8


@pytest.mark.parametrize("end", ["fail", "release"])
def test_a_waiter_that_a_claim_locks_for_a_moment_is_due_in_time(submit_for, monkeypatch, end):
    monkeypatch.setattr(heuristic_queue, "LOCK_SECONDS", 30)
    submit_for("NETFLIX 1")
    admission.admit_batch()
    [claimed] = claims.claim(worker="w")
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        stack.enter_context(locked(Waiter.objects.get()))

        def end_attempt():
            if end == "fail":
                attempts.fail(claimed.resolution, "It failed.")
            else:
                attempts.release([claimed.resolution])
            connection.close()

        ended = pool.submit(end_attempt)
        wait_until_somebody_waits()
        stack.close()
        ended.result(30)
    assert Waiter.objects.due(timezone.now() + timedelta(seconds=attempts.PAUSES[0])).exists()


def test_a_resolution_stops_only_the_requests_that_need_it(submit_for, client_1234):
    submit_for("NETFLIX 1", client_1234.client)
    admission.admit_batch()
    needing, other = submit_for("NETFLIX 2"), submit_for("SPOTIFY")
    with locked(Resolution.objects.get()):
        run_cluster()
        assert statuses(pk=other.pk) == ["completed"]
        assert statuses(pk=needing.pk) == ["queued"]
    run_cluster()
    assert statuses() == ["completed"] * 3


def test_an_answer_that_is_locked_is_given_after_the_lease(submit_for, client_1234, settings):
    settings.PAVE_RESOLUTION_LEASE = 0
    submit_for("NETFLIX 1", client_1234.client)
    submit_for("SPOTIFY")
    admission.admit_batch()
    held = Resolution.objects.get(key__contains="netflix")
    claimed = claims.claim(worker="w", limit=1, pk=held.pk)
    with locked(held):
        worker.work(claimed)
        run_cluster()
        attempts.sweep()
        assert statuses() == ["processing", "completed"]
    attempts.sweep()
    make_due()
    run_cluster()
    assert statuses() == ["completed"] * 2


def test_attempts_of_a_dead_worker_are_ended_without_waiting_for_locks(submit_for, monkeypatch):
    monkeypatch.setattr(attempts, "LOCK_SECONDS", 3600)
    submit_for("NETFLIX 1")
    submit_for("SPOTIFY")
    admission.admit_batch()
    held, other = Resolution.objects.order_by("key")
    for resolution in (held, other):
        assert claims.claim(worker="dead", pk=resolution.pk)
    with locked(held):
        attempts.requeue(worker="dead")
    assert set(Resolution.objects.values_list("pk", "status")) == {
        (held.pk, "running"),
        (other.pk, "pending"),
    }
    attempts.requeue(worker="dead")
    assert not Resolution.objects.filter(status="running").exists()
