"""Sending again what never succeeded in a window."""

from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.utils import timezone

from tests.factories import WebhookFactory
from webhooks.delivery import manual
from webhooks.delivery import recovery as recovering
from webhooks.delivery.housekeeping import sweep
from webhooks.endpoints import enabling, services
from webhooks.models import Delivery, Recovery, Webhook
from webhooks.receiver.application import Reply, always

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

HOUR = timedelta(hours=1)


@pytest.fixture
def window():
    now = timezone.now()
    return {"since": now - 2 * HOUR, "until": now - HOUR}


@pytest.fixture
def inside(window, deliver):
    """Make deliveries of the window in a state."""

    def inside(status, count=1, **fields):
        moment = window["since"] + timedelta(minutes=5)
        if status != "pending":
            fields = {"next_attempt_at": None, **fields}
        return [deliver(status=status, created_at=moment, **fields) for _ in range(count)]

    return inside


def run(recovery):
    for _ in range(20):
        recovering.advance_all()
    recovery.refresh_from_db()


def test_it_sends_what_failed_is_held_or_waits_for_a_retry(
    send, deliver, inside, window, receiver, webhook
):
    never = [
        *inside("failed", 2, attempts=10, step=10),
        *inside("held"),
        *inside("pending", attempts=2, step=2, next_attempt_at=timezone.now() + HOUR),
    ]
    inside("succeeded")
    inside("canceled")
    inside("failed", trigger="test")
    inside("pending", next_attempt_at=timezone.now() + HOUR)  # on its way for the first time
    deliver(status="failed", created_at=window["since"] - HOUR)
    deliver(status="failed", created_at=window["until"])
    counted = recovering.count(webhook=webhook, **window)
    assert counted == {"failed": 2, "held": 1, "pending": 1}
    recovery = recovering.start(webhook=webhook, **window)
    assert recovery.total == 4
    run(recovery)
    assert send() == 4
    assert {message.webhook_id for message in receiver.messages} == {
        str(delivery.event_id) for delivery in never
    }
    assert all(delivery.attempt_set.get().trigger == "recover" for delivery in never)
    run(recovery)
    assert (recovery.status, recovery.queued) == ("completed", 4)
    assert recovery.completed_at is not None
    assert recovering.progress(recovery)["succeeded"] == 4


def test_repeating_it_sends_nothing_twice(send, inside, window, receiver, webhook):
    inside("failed", 3)
    run(recovering.start(webhook=webhook, **window))
    send()
    recovering.advance_all()
    run(recovering.start(webhook=webhook, **window))
    assert send() == 0
    assert len(receiver.messages) == 3
    assert set(Recovery.objects.values_list("status", flat=True)) == {"completed"}


def test_it_goes_on_in_batches_each_waiting_for_the_one_before(
    send, inside, window, webhook, monkeypatch
):
    monkeypatch.setattr(recovering, "BATCH", 4)
    inside("failed", 10)
    recovery = recovering.start(webhook=webhook, **window)
    run(recovery)
    assert recovery.queued == 8  # one batch under way, and one that waits behind it
    while send():
        recovering.advance_all()
    run(recovery)
    assert (recovery.status, recovery.queued) == ("completed", 10)


def test_a_kill_between_two_batches_loses_nothing(send, inside, window, webhook, monkeypatch):
    monkeypatch.setattr(recovering, "BATCH", 4)
    inside("failed", 10)
    recovery = recovering.start(webhook=webhook, **window)

    recovering.advance(recovery.pk)
    with monkeypatch.context() as patch:
        patch.setattr(Recovery, "save", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            recovering.advance(recovery.pk)
    recovery.refresh_from_db()
    assert (recovery.status, recovery.queued) == ("running", 4)
    while send():
        recovering.advance_all()
    run(recovery)
    assert recovery.queued == 10


def test_an_endpoint_that_is_gone_gets_no_more_of_it(
    send, inside, window, receiver, webhook, monkeypatch
):
    monkeypatch.setattr(recovering, "BATCH", 4)
    receiver.behaviour = always(Reply(status=410))
    inside("failed", 20)
    recovery = recovering.start(webhook=webhook, **window)
    for _ in range(5):
        run(recovery)
        send()
    assert recovery.status == "canceled"
    assert len(receiver.messages) <= 8
    assert Delivery.objects.filter(status="held").exists()
    assert not Delivery.objects.filter(status="pending").exists()


def test_nor_does_one_that_is_gone_while_its_webhook_is_disabled(
    send, inside, window, receiver, webhook, monkeypatch
):
    monkeypatch.setattr(recovering, "BATCH", 4)
    receiver.behaviour = always(Reply(status=410))
    inside("failed", 20)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF)
    recovery = recovering.start(webhook=webhook, **window)
    for _ in range(5):
        run(recovery)
        send()
    assert recovery.status == "canceled"
    assert len(receiver.messages) <= 8
    webhook.refresh_from_db()
    assert webhook.disabled_by == "staff"


def test_disabling_ends_a_recovery_and_holds_what_it_had_put_on_its_way(
    send, inside, window, receiver, webhook, monkeypatch
):
    monkeypatch.setattr(recovering, "BATCH", 4)
    inside("failed", 20)
    recovery = recovering.start(webhook=webhook, **window)
    recovering.advance(recovery.pk, now=timezone.now() + timedelta(seconds=5))  # a clock ahead
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    run(recovery)
    assert (recovery.status, recovery.queued) == ("canceled", 4)
    assert Delivery.objects.filter(status="held").count() == 4
    assert send() == 0


def test_a_retry_by_hand_goes_out_though_a_recovery_of_it_had_ended(
    send, inside, window, receiver, webhook
):
    (delivery,) = inside("failed", attempts=10, step=10)
    recovering.start(webhook=webhook, **window)
    recovering.advance_all()
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.GONE)
    delivery.refresh_from_db()
    assert delivery.status == "held"
    manual.retry(delivery_id=delivery.pk)
    sweep(now=timezone.now())
    assert send() == 1
    delivery.refresh_from_db()
    assert delivery.status == "succeeded"


def test_a_recovery_of_a_webhook_that_is_just_deleted_has_nothing_to_do(inside, window, webhook):
    inside("failed", 3)
    Webhook.objects.update(deleted_at=timezone.now())
    recovery = recovering.start(webhook=webhook, **window)
    assert (recovery.status, recovery.total) == ("completed", 0)


def test_the_sweep_rings_for_a_recovery_that_is_not_done(inside, window, webhook, monkeypatch):
    wakeup = Mock()
    monkeypatch.setattr("webhooks.delivery.housekeeping.RECOVER", wakeup)
    sweep()
    wakeup.send.assert_not_called()
    inside("failed")
    recovering.start(webhook=webhook, **window)
    sweep()
    wakeup.send.assert_called_once()


def test_what_is_recovered_begins_its_retries_anew(send, inside, window, receiver, webhook):
    (failed,) = inside("failed", attempts=10, step=10)
    receiver.behaviour = always(Reply(status=500))
    recovery = recovering.start(webhook=webhook, **window)
    run(recovery)
    send()
    failed.refresh_from_db()
    assert (failed.status, failed.step, failed.trigger) == ("pending", 1, "automatic")
    assert failed.attempts == 11
    run(recovery)
    assert recovery.status == "completed"
    assert recovering.progress(recovery)["pending"] == 1


def test_a_disabled_webhook_gets_what_is_recovered_and_stays_disabled(
    send, inside, window, receiver, webhook
):
    inside("pending", 2)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    run(recovering.start(webhook=webhook, **window))
    sweep()
    assert send() == 2
    webhook.refresh_from_db()
    assert not webhook.enabled


def test_deleting_the_webhook_ends_it(inside, window, webhook):
    inside("failed")
    recovery = recovering.start(webhook=webhook, **window)
    services.delete(webhook=webhook)
    run(recovery)
    assert recovery.status == "canceled"
    assert not Delivery.objects.filter(trigger="recover").exists()


def test_a_webhook_has_one_recovery_at_a_time(inside, window, webhook):
    inside("failed")
    recovering.start(webhook=webhook, **window)
    with pytest.raises(recovering.AlreadyRunning):
        recovering.start(webhook=webhook, **window)


def test_one_that_has_nothing_to_do_is_through_at_once(window, webhook):
    for _ in range(2):
        assert recovering.start(webhook=webhook, **window).status == "completed"
    assert not Recovery.objects.running().exists()


def test_recoveries_that_wait_for_an_endpoint_are_not_looked_at_one_by_one(
    inside, window, django_assert_num_queries
):
    for _ in range(20):
        other = WebhookFactory()
        inside("failed", to=other)
        recovery = recovering.start(webhook=other, **window)
        while recovering.advance(recovery.pk):
            pass
    with django_assert_num_queries(1):
        recovering.advance_all()


def test_a_worker_goes_on_with_recoveries_for_a_while_only(inside, window, monkeypatch):
    for _ in range(3):
        other = WebhookFactory()
        inside("failed", to=other)
        recovering.start(webhook=other, **window)
    monkeypatch.setattr(recovering, "SLICE_SECONDS", 0)
    recovering.advance_all()
    assert Delivery.objects.filter(trigger="recover").count() == 1
