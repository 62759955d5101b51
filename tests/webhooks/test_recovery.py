"""Sending again what never succeeded in a window."""

from datetime import timedelta
from secrets import randbits
from unittest.mock import Mock
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from pave.core.ids import first_id_at
from tests.factories import DeliveryFactory, EventFactory, WebhookFactory
from tests.merchants.row_counts import rows_read
from webhooks.delivery import manual, recovery
from webhooks.delivery.housekeeping import sweep
from webhooks.endpoints import enabling, services
from webhooks.models import Delivery, Event, Recovery, Webhook
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
        return [
            deliver(pk=_id_of(moment), status=status, created_at=moment, **fields)
            for _ in range(count)
        ]

    return inside


def _id_of(moment):
    return UUID(int=first_id_at(moment).int | randbits(62))


def run(job):
    for _ in range(20):
        recovery.advance_all()
    job.refresh_from_db()


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
    (of_a_test,) = inside("failed", trigger="test")
    Event.objects.filter(pk=of_a_test.event_id).update(type="webhook.test")
    inside("pending", next_attempt_at=timezone.now() + HOUR)  # on its way for the first time
    deliver(status="failed", created_at=window["since"] - HOUR)
    deliver(status="failed", created_at=window["until"])
    counted = recovery.count(webhook=webhook, **window)
    assert counted == {"failed": 2, "held": 1, "pending": 1}
    job = recovery.start(webhook=webhook, **window)
    assert job.total == 4
    run(job)
    assert send() == 4
    assert {message.webhook_id for message in receiver.messages} == {
        str(delivery.event_id) for delivery in never
    }
    assert all(delivery.attempt_set.get().trigger == "recover" for delivery in never)
    run(job)
    assert (job.status, job.queued) == ("completed", 4)
    assert job.completed_at is not None
    assert recovery.progress(job)["succeeded"] == 4


def test_what_fails_since_it_began_counts_in_its_total(inside, window, webhook):
    inside("failed", attempts=10)
    job = recovery.start(webhook=webhook, **window)
    inside("failed", attempts=10)
    run(job)
    assert (recovery.progress(job)["total"], recovery.progress(job)["queued"]) == (2, 2)


def test_repeating_it_sends_nothing_twice(send, inside, window, receiver, webhook):
    inside("failed", 3)
    run(recovery.start(webhook=webhook, **window))
    send()
    recovery.advance_all()
    run(recovery.start(webhook=webhook, **window))
    assert send() == 0
    assert len(receiver.messages) == 3
    assert set(Recovery.objects.values_list("status", flat=True)) == {"completed"}


def test_it_goes_on_in_batches_each_waiting_for_the_one_before(
    send, inside, window, webhook, monkeypatch
):
    monkeypatch.setattr(recovery, "BATCH", 4)
    inside("failed", 10)
    job = recovery.start(webhook=webhook, **window)
    run(job)
    assert job.queued == 8  # one batch in flight, and one that waits behind it
    while send():
        recovery.advance_all()
    run(job)
    assert (job.status, job.queued) == ("completed", 10)


def test_a_kill_between_two_batches_loses_nothing(send, inside, window, webhook, monkeypatch):
    monkeypatch.setattr(recovery, "BATCH", 4)
    inside("failed", 10)
    job = recovery.start(webhook=webhook, **window)

    recovery.advance(job.pk)
    with monkeypatch.context() as patch:
        patch.setattr(Recovery, "save", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            recovery.advance(job.pk)
    job.refresh_from_db()
    assert (job.status, job.queued) == ("running", 4)
    while send():
        recovery.advance_all()
    run(job)
    assert job.queued == 10


def test_an_endpoint_that_is_gone_gets_no_more_of_it(
    send, inside, window, receiver, webhook, monkeypatch
):
    monkeypatch.setattr(recovery, "BATCH", 4)
    receiver.behaviour = always(Reply(status=410))
    inside("failed", 20)
    job = recovery.start(webhook=webhook, **window)
    for _ in range(5):
        run(job)
        send()
    assert job.status == "canceled"
    assert len(receiver.messages) <= 8
    assert Delivery.objects.filter(status="held").exists()
    assert not Delivery.objects.filter(status="pending").exists()


def test_nor_does_one_that_is_gone_while_its_webhook_is_disabled(
    send, inside, window, receiver, webhook, monkeypatch
):
    monkeypatch.setattr(recovery, "BATCH", 4)
    receiver.behaviour = always(Reply(status=410))
    inside("failed", 20)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF)
    job = recovery.start(webhook=webhook, **window)
    for _ in range(5):
        run(job)
        send()
    assert job.status == "canceled"
    assert len(receiver.messages) <= 8
    webhook.refresh_from_db()
    assert webhook.disabled_by == "staff"


def test_disabling_ends_a_recovery_and_holds_what_it_had_put_on_its_way(
    send, inside, window, receiver, webhook, monkeypatch
):
    monkeypatch.setattr(recovery, "BATCH", 4)
    inside("failed", 20)
    job = recovery.start(webhook=webhook, **window)
    recovery.advance(job.pk, now=timezone.now() + timedelta(seconds=5))  # a clock ahead
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    run(job)
    assert (job.status, job.queued) == ("canceled", 4)
    assert Delivery.objects.filter(status="held").count() == 4
    assert send() == 0


@pytest.mark.parametrize("by", [Webhook.DisabledBy.CLIENT, Webhook.DisabledBy.STAFF])
def test_the_recovery_of_a_disabled_webhook_ends_when_it_is_disabled_again(
    send, inside, window, receiver, webhook, by
):
    inside("failed", 3)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    job = recovery.start(webhook=webhook, **window)
    recovery.advance_all()
    (asked_for,) = inside("failed", attempts=1)
    manual.retry(delivery_id=asked_for.pk)
    enabling.disable(webhook_id=webhook.pk, by=by)
    run(job)
    assert (job.status, job.queued) == ("canceled", 3)
    assert Delivery.objects.filter(status="held", held_by=by).count() == 3
    assert send() == 1  # what a person asked for


def test_the_recovery_of_a_disabled_webhook_goes_on_when_it_only_fails_again(
    inside, window, webhook
):
    inside("failed", 3)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.FAILING)
    job = recovery.start(webhook=webhook, **window)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.FAILING)
    job.refresh_from_db()
    assert job.status == "running"


def test_a_retry_by_hand_goes_out_though_a_recovery_of_it_had_ended(
    send, inside, window, receiver, webhook
):
    (delivery,) = inside("failed", attempts=10, step=10)
    recovery.start(webhook=webhook, **window)
    recovery.advance_all()
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
    job = recovery.start(webhook=webhook, **window)
    assert (job.status, job.total) == ("completed", 0)


def test_the_sweep_rings_for_a_recovery_that_is_not_done(inside, window, webhook, monkeypatch):
    wakeup = Mock()
    monkeypatch.setattr("webhooks.delivery.housekeeping.RECOVER", wakeup)
    sweep()
    wakeup.send.assert_not_called()
    inside("failed")
    recovery.start(webhook=webhook, **window)
    sweep()
    wakeup.send.assert_called_once()


def test_what_is_recovered_begins_its_retries_anew(send, inside, window, receiver, webhook):
    (failed,) = inside("failed", attempts=10, step=10)
    receiver.behaviour = always(Reply(status=500))
    job = recovery.start(webhook=webhook, **window)
    run(job)
    send()
    failed.refresh_from_db()
    assert (failed.status, failed.step, failed.trigger) == ("pending", 1, "automatic")
    assert failed.attempts == 11
    run(job)
    assert job.status == "completed"
    assert recovery.progress(job)["pending"] == 1


def test_a_disabled_webhook_gets_what_is_recovered_and_stays_disabled(
    send, inside, window, receiver, webhook
):
    inside("pending", 2)
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
    run(recovery.start(webhook=webhook, **window))
    sweep()
    assert send() == 2
    webhook.refresh_from_db()
    assert not webhook.enabled


def test_deleting_the_webhook_ends_it(inside, window, webhook):
    inside("failed")
    job = recovery.start(webhook=webhook, **window)
    services.delete(webhook=webhook)
    run(job)
    assert job.status == "canceled"
    assert not Delivery.objects.filter(trigger="recover").exists()


def test_a_webhook_has_one_recovery_at_a_time(inside, window, webhook):
    inside("failed")
    recovery.start(webhook=webhook, **window)
    with pytest.raises(recovery.AlreadyRunning):
        recovery.start(webhook=webhook, **window)


def test_one_that_has_nothing_to_do_is_through_at_once(window, webhook):
    for _ in range(2):
        assert recovery.start(webhook=webhook, **window).status == "completed"
    assert not Recovery.objects.running().exists()


def test_recoveries_that_wait_for_an_endpoint_are_not_looked_at_one_by_one(
    inside, window, django_assert_num_queries
):
    for _ in range(20):
        other = WebhookFactory()
        inside("failed", to=other)
        job = recovery.start(webhook=other, **window)
        while recovery.advance(job.pk):
            pass
    with django_assert_num_queries(1):
        recovery.advance_all()


def test_a_worker_goes_on_with_recoveries_for_a_while_only(inside, window, monkeypatch):
    for _ in range(3):
        other = WebhookFactory()
        inside("failed", to=other)
        recovery.start(webhook=other, **window)
    monkeypatch.setattr(recovery, "SLICE_SECONDS", 0)
    recovery.advance_all()
    assert Delivery.objects.filter(trigger="recover").count() == 1


def _write(webhook, moment, count):
    """Write so many deliveries of each status, and their events."""
    statuses = [each for each in ("failed", "held", "pending", "succeeded") for _ in range(count)]
    events = [EventFactory.build(client=webhook.client, created_at=moment) for _ in statuses]
    deliveries = [
        DeliveryFactory.build(
            pk=_id_of(moment), webhook=webhook, event=event, status=status, created_at=moment,
            attempts=1, next_attempt_at=moment if status == "pending" else None,
        )
        for event, status in zip(events, statuses, strict=True)
    ]  # fmt: skip
    Event.objects.bulk_create(events)
    Delivery.objects.bulk_create(deliveries)


@pytest.mark.parametrize("statistics", ["of now", "of other days"])
def test_a_batch_reads_about_as_much_as_it_queues(window, webhook, monkeypatch, statistics):
    """However much else there is, of this webhook or of others."""
    if connection.vendor == "sqlite":
        return  # keeps no count of what it reads
    monkeypatch.setattr(recovery, "BATCH", 10)
    moment = window["since"] + timedelta(minutes=5)
    other = WebhookFactory()
    with connection.cursor() as cursor:
        if statistics == "of other days":
            _write(other, moment, 50)
            cursor.execute("ANALYZE")
        for each in (webhook, other):
            _write(each, moment, 2_000)
        if statistics == "of now":
            cursor.execute("ANALYZE")
        job = recovery.start(webhook=webhook, **window)
        assert job.total == 6_000
        before = rows_read(cursor, "webhooks_delivery")
        for _ in range(2):
            recovery.advance(job.pk)
        job.refresh_from_db()
        assert job.queued == 20
        # Some ten a row, of those that lie between; a state has 2,000 for each webhook.
        assert rows_read(cursor, "webhooks_delivery") - before < 1_000


def test_very_many_are_counted_only_in_part(inside, window, webhook, monkeypatch):
    monkeypatch.setattr(recovery, "COUNTED", 10)
    inside("held", 50)
    inside("failed", 5)
    assert recovery.count(webhook=webhook, **window) == {"failed": 5, "held": 10, "pending": 0}
    job = recovery.start(webhook=webhook, **window)
    assert (job.total, recovery.progress(job)["at_least"]) == (15, True)
    run(job)
    assert (recovery.progress(job)["total"], recovery.progress(job)["at_least"]) == (55, False)


def test_what_fails_for_the_last_time_while_a_batch_is_chosen_is_in_it(inside, window, webhook):
    (retrying,) = inside("pending", attempts=9, next_attempt_at=timezone.now())
    job = recovery.start(webhook=webhook, **window)

    def fail_first(execute, sql, params, many, context):
        if sql.startswith("SELECT") and '"attempts" > ' in sql:
            Delivery.objects.filter(pk=retrying.pk, status="pending").update(
                status="failed", next_attempt_at=None
            )
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_first):
        recovery.advance(job.pk)
    job.refresh_from_db()
    assert job.queued == 1
