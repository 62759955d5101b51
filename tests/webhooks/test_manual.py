"""Retrying and canceling by hand, beside the automatic retries."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.locks import wait_until_somebody_waits
from tests.servers import ON_SQLITE
from webhooks.delivery import housekeeping, manual
from webhooks.delivery.claims import Claimer
from webhooks.delivery.fair_share import Capacity
from webhooks.endpoints import enabling, services
from webhooks.models import Delivery, Webhook
from webhooks.receiver.application import Reply, always

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


@pytest.fixture
def waiting(deliver):
    """A delivery that failed once and waits for its second automatic attempt."""
    return deliver(attempts=1, step=1, next_attempt_at=timezone.now() + timedelta(minutes=5))


def triggers(delivery):
    return list(delivery.attempt_set.order_by("number").values_list("trigger", flat=True))


def test_a_success_cancels_the_automatic_attempt(send, waiting, receiver):
    manual.retry(delivery_id=waiting.pk)
    assert send() == 1
    waiting.refresh_from_db()
    assert (waiting.status, waiting.attempts) == ("succeeded", 2)
    assert waiting.next_attempt_at is None
    assert waiting.resume_at is None
    assert triggers(waiting) == ["manual"]
    Delivery.objects.filter(status="pending").update(next_attempt_at=timezone.now())
    assert send() == 0
    assert len(receiver.messages) == 1


def test_a_failure_leaves_the_automatic_attempt_as_it_was(send, waiting, receiver):
    due = waiting.next_attempt_at
    receiver.behaviour = always(Reply(status=500))
    manual.retry(delivery_id=waiting.pk)
    send()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.step, waiting.attempts) == ("pending", 1, 2)
    assert waiting.next_attempt_at == due
    assert waiting.trigger == "automatic"


def test_what_has_failed_for_good_can_be_retried(send, deliver, receiver):
    receiver.behaviour = always(Reply(status=500))
    failed = deliver(status="failed", attempts=10, step=10, next_attempt_at=None)
    manual.retry(delivery_id=failed.pk)
    send()
    failed.refresh_from_db()
    assert (failed.status, failed.attempts) == ("failed", 11)
    receiver.behaviour = always(Reply())
    manual.retry(delivery_id=failed.pk)
    send()
    failed.refresh_from_db()
    assert (failed.status, failed.attempts) == ("succeeded", 12)


def test_what_has_succeeded_can_be_sent_again_and_stays_a_success(send, deliver, receiver):
    receiver.behaviour = always(Reply(status=500))
    done = deliver(status="succeeded", attempts=1, next_attempt_at=None)
    manual.retry(delivery_id=done.pk)
    send()
    done.refresh_from_db()
    assert (done.status, done.attempts) == ("succeeded", 2)


def test_what_has_succeeded_is_no_failure_when_its_repeat_is_refused(send, deliver, receiver):
    delivery = deliver()
    send()
    manual.retry(delivery_id=delivery.pk)
    receiver.behaviour = always(Reply(status=500, headers={"Webhook-Delivery": "abort-message"}))
    send()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("succeeded", 2)


def test_what_has_succeeded_is_not_held(send, deliver, webhook):
    delivery = deliver()
    send()
    manual.retry(delivery_id=delivery.pk)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    delivery.refresh_from_db()
    assert delivery.status == "succeeded"


def test_what_is_held_can_be_retried_while_its_webhook_is_disabled(
    send, deliver, receiver, webhook
):
    held = deliver()
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    receiver.behaviour = always(Reply(status=500))
    manual.retry(delivery_id=held.pk)
    send()
    held.refresh_from_db()
    assert (held.status, held.held_by) == ("held", "client")
    receiver.behaviour = always(Reply())
    manual.retry(delivery_id=held.pk)
    send()
    held.refresh_from_db()
    assert (held.status, held.held_by) == ("succeeded", "")
    webhook.refresh_from_db()
    assert not webhook.enabled


def test_it_goes_out_though_the_breaker_is_open(send, waiting, webhook):
    now = timezone.now()
    Webhook.objects.update(
        breaker_failures=5, breaker_opened_at=now, paused_until=now + timedelta(minutes=9)
    )
    manual.retry(delivery_id=waiting.pk)
    assert send() == 1
    webhook.refresh_from_db()
    assert webhook.breaker == "closed"


def test_asking_twice_is_asking_once(send, waiting, receiver):
    for _ in range(3):
        manual.retry(delivery_id=waiting.pk)
    assert send() == 1
    assert len(receiver.messages) == 1


def test_what_is_in_flight_is_not_retried(deliver):
    in_flight = deliver(status="delivering", attempts=1)
    with pytest.raises(manual.InvalidState, match="in flight"):
        manual.retry(delivery_id=in_flight.pk)
    in_flight.refresh_from_db()
    assert in_flight.status == "delivering"


def test_what_was_canceled_is_not_retried(deliver, webhook):
    canceled = deliver()
    services.delete(webhook=webhook)
    with pytest.raises(manual.InvalidState, match="canceled"):
        manual.retry(delivery_id=canceled.pk)


def test_disabling_meanwhile_holds_it(send, waiting, webhook, receiver):
    manual.retry(delivery_id=waiting.pk)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.resume_status) == ("held", "")
    assert send() == 0


def test_what_had_been_delivered_is_not_held_however_much_there_is(deliver, webhook, monkeypatch):
    monkeypatch.setattr(enabling, "BATCH", 1)
    for _ in range(3):
        manual.retry(delivery_id=deliver(status="succeeded").pk)
    other = deliver()
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF)
    for _ in range(3):
        housekeeping.sweep()
    assert set(Delivery.objects.exclude(pk=other.pk).values_list("status", flat=True)) == {
        "succeeded"
    }
    other.refresh_from_db()
    assert other.status == "held"


@pytest.mark.django_db(transaction=True)
def test_by_hand_and_automatic_at_the_same_moment_are_one_at_a_time(send, deliver, receiver):
    """The endpoint sees no two at once, however often a retry is requested meanwhile."""
    inside, most = [0], [0]
    lock = threading.Lock()
    arrived, go_on = threading.Event(), threading.Event()

    def behaviour(message):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        arrived.set()
        go_on.wait(5)
        with lock:
            inside[0] -= 1
        return Reply(status=500)

    receiver.behaviour = behaviour
    delivery = deliver()
    refused = []

    def ask_by_hand():
        from django.db import connections

        arrived.wait(5)
        for _ in range(5):
            try:
                manual.retry(delivery_id=delivery.pk)
            except manual.InvalidState:
                refused.append(True)
        go_on.set()
        connections.close_all()

    asker = threading.Thread(target=ask_by_hand)
    asker.start()
    assert send() == 1
    asker.join()
    assert len(refused) == 5
    assert most == [1]
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("pending", 1)


# --- Canceling -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["pending", "held"])
def test_what_waits_or_is_held_is_canceled(deliver, status):
    delivery = deliver(status=status, held_by="staff" if status == "held" else "")
    manual.cancel(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.held_by) == ("canceled", "")
    assert delivery.next_attempt_at is None
    assert delivery.finished_at is not None


@pytest.mark.parametrize("status", ["delivering", "succeeded", "failed", "canceled"])
def test_what_is_in_flight_or_final_is_not_canceled(deliver, status):
    delivery = deliver(status=status)
    with pytest.raises(manual.InvalidState, match=status):
        manual.cancel(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.status == status


def _delete(delivery):
    services.delete(webhook=delivery.webhook)


def _disable(delivery):
    enabling.disable(webhook_id=delivery.webhook_id, by=Webhook.DisabledBy.CLIENT)


def _cancel(delivery):
    manual.cancel(delivery_id=delivery.pk)


@pytest.mark.parametrize("end", [_delete, _disable, _cancel])
def test_what_was_delivered_stays_so_when_its_repeat_is_not_sent(send, deliver, end):
    delivery = deliver()
    send()
    manual.retry(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.finished_at) == ("pending", None)
    end(delivery)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.next_attempt_at) == ("succeeded", None)
    assert delivery.finished_at is not None


@pytest.mark.parametrize(
    ("end", "reason"), [(_cancel, "delivery was canceled"), (_delete, "webhook .* was deleted")]
)
def test_what_cannot_be_retried_is_refused_with_the_reason(deliver, end, reason):
    delivery = deliver(status="held" if end is _cancel else "failed")
    end(delivery)
    with pytest.raises(manual.InvalidState, match=reason):
        manual.retry(delivery_id=delivery.pk)


def test_what_is_retried_while_it_is_canceled_counts_as_delivered(deliver, monkeypatch):
    delivery = deliver(status="succeeded", attempts=1, next_attempt_at=None)
    restore = enabling._restore_delivered

    def restore_then_retry(*arguments):
        restored = restore(*arguments)
        manual.retry(delivery_id=delivery.pk)
        return restored

    monkeypatch.setattr(enabling, "_restore_delivered", restore_then_retry)
    with pytest.raises(manual.InvalidState):
        manual.cancel(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.resume_status) == ("pending", "succeeded")


def test_what_still_waits_for_a_deleted_webhook_is_not_retried(deliver, webhook, monkeypatch):
    monkeypatch.setattr(enabling, "BATCH", 1)
    deliver(), deliver()
    services.delete(webhook=webhook)
    with pytest.raises(manual.InvalidState, match="deleted"):
        manual.retry(delivery_id=Delivery.objects.get(status="pending").pk)


@pytest.mark.parametrize("by_hand", [manual.retry, manual.cancel])
def test_what_has_expired_meanwhile_is_refused(waiting, by_hand):
    waiting.delete()
    with pytest.raises(manual.InvalidState, match="expired"):
        by_hand(delivery_id=waiting.pk)


def claim(delivery):
    now = timezone.now() + timedelta(seconds=1)
    [claimed] = Claimer("one").claim(now=now, capacity=Capacity(10, 10, 10))
    assert claimed.delivery_id == delivery.pk


def cancel(delivery):
    manual.cancel(delivery_id=delivery.pk)


def retry(delivery):
    manual.retry(delivery_id=delivery.pk)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(ON_SQLITE, reason="There one waits for the other's transaction at its begin.")
@pytest.mark.parametrize(
    ("first", "status", "resume_status", "error"),
    [
        (claim, "delivering", "", manual.InvalidState),
        (cancel, "canceled", "", manual.InvalidState),
        (retry, "pending", "failed", None),
    ],
)
def test_a_retry_that_waits_for_another_change_goes_by_what_it_has_left(
    deliver, first, status, resume_status, error
):
    """Else a delivery that was claimed just then would be in flight twice."""
    delivery = deliver() if error else deliver(status="failed", next_attempt_at=None)

    def retry_too():
        try:
            retry(delivery)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first(delivery)
            retried = pool.submit(retry_too)
            wait_until_somebody_waits()
        assert isinstance(retried.exception(30), error or type(None))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.resume_status) == (status, resume_status)
