"""Whoever changes many deliveries locks them in one order, so that no two wait for each other."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.factories import DeliveryFactory, EventFactory, SigningSecretFactory, WebhookFactory
from tests.locks import wait_until_somebody_waits
from tests.servers import ON_SQLITE
from webhooks.delivery import manual, recovery
from webhooks.delivery.claims import Claim
from webhooks.delivery.dispatcher import interrupted
from webhooks.delivery.results import AttemptResult, record
from webhooks.endpoints import enabling, health, services
from webhooks.endpoints.health import Attempted
from webhooks.models import Delivery, DeliveryAttempt, Recovery, Webhook
from webhooks.receiver.application import Reply

# SQLite has one writer at a time.
pytestmark = pytest.mark.django_db(transaction=True)

# How often two senders each claim and record: some seconds, in which a wrong order shows at once.
CROSSINGS = 150


def hold(webhook):
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF)


def release(webhook):
    enabling.enable(webhook=webhook)


def cancel(webhook):
    enabling.cancel_unsent(webhook.pk, now=timezone.now())


def recover(webhook):
    now = timezone.now()
    job = recovery.start(webhook=webhook, since=now - timedelta(hours=1), until=now)
    recovery.advance(job.pk)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (hold, {}),
        (release, {"status": "held"}),
        (cancel, {}),
        (recover, {"attempts": 1}),
    ],
)
def test_rows_are_locked_in_the_order_of_their_ids(change, state):
    webhook = WebhookFactory(window=9, steady=True, enabled=change is not release)
    moment = timezone.now() - timedelta(minutes=5)
    events = EventFactory.create_batch(2)
    first, last = (DeliveryFactory.build(webhook=webhook, event=event, **state) for event in events)
    for delivery in (last, first):  # in the table, and due, the other way round
        delivery.created_at = delivery.next_attempt_at = moment
        moment += timedelta(minutes=1)
        delivery.save(force_insert=True)
    _assert_locks_first(Delivery, first, last, change, webhook)


@pytest.mark.parametrize("says", ["", "disable"])
def test_webhooks_that_do_well_and_others_are_locked_in_one_order(says):
    steady = {"steady": True, "window": 9} if says else {}
    first, last = sorted(WebhookFactory.create_batch(2, **steady), key=lambda one: one.pk)
    well = replace(
        interrupted(ValueError()), ok=True, error="", response_headers={"webhook-delivery": says}
    )
    failed = replace(well, ok=False, error="http", status=500)
    # The one that is locked last by itself comes first in the order of ids.
    outcomes = (
        [Attempted(first.pk, first.url, well), Attempted(last.pk, last.url, failed)]
        if says
        else [Attempted(first.pk, first.url, failed), Attempted(last.pk, last.url, well)]
    )
    _assert_locks_first(Webhook, first, last, note, outcomes)
    first.refresh_from_db()
    last.refresh_from_db()
    assert first.enabled is not bool(says)
    assert (last if says else first).failing_since is not None


def note(outcomes):
    with transaction.atomic():
        health.update(outcomes, now=timezone.now())


def test_two_senders_over_the_same_webhooks_never_wait_for_each_other_in_a_circle():
    """Each records all kinds of outcomes, in any order, and enables what that has disabled."""
    webhooks = WebhookFactory.create_batch(8)
    well = replace(interrupted(ValueError()), ok=True, error="", status=200, duration_ms=5)
    failed = replace(well, ok=False, error="http", status=500)
    asks = replace(failed, response_headers={"webhook-delivery": "disable"})
    kinds = [*[well, failed] * 5, replace(well, duration_ms=9_000), asks]

    def send(worker):
        dice = random.Random(worker)
        deliveries = [DeliveryFactory(webhook=webhook) for webhook in webhooks]
        mine = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
        try:
            for number in range(1, CROSSINGS + 1):
                mine.update(status="delivering", claimed_by=worker, attempts=number)
                results = [
                    AttemptResult(claim_of(delivery, number), {}, outcome, outcome)
                    for delivery in dice.sample(deliveries, 8)
                    for outcome in [dice.choice(kinds)]
                ]
                record(results, now=timezone.now(), worker=worker)
                release(dice.choice(webhooks))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, ["a/1/1", "b/2/2"]))
    assert DeliveryAttempt.objects.count() == 2 * 8 * CROSSINGS


def claim_of(delivery, number):
    webhook, event = delivery.webhook, delivery.event
    return Claim(
        delivery_id=delivery.pk,
        webhook_id=webhook.pk,
        client_id=webhook.client_id,
        event_id=event.pk,
        subject_id=event.subject_id,
        number=number,
        trigger="automatic",
        is_test=False,
        url=webhook.url,
        body=event.body,
        headers={},
        secrets=(),
    )


def test_who_deletes_a_webhook_waits_for_its_recovery_and_holds_nothing_meanwhile():
    webhook = WebhookFactory()
    delivery = DeliveryFactory(webhook=webhook, event=EventFactory(), attempts=1)
    now = timezone.now()
    since = now - timedelta(hours=1)
    job = recovery.start(webhook=webhook, since=since, until=now + timedelta(hours=1))
    worker = threading.Thread(target=_and_disconnect, args=(delete, webhook))
    with transaction.atomic():
        Recovery.objects.select_for_update(no_key=True).get(pk=job.pk)
        worker.start()
        wait_until_somebody_waits()
        Delivery.objects.select_for_update(no_key=True, nowait=True).get(pk=delivery.pk)
    worker.join(timeout=20)
    job.refresh_from_db()
    assert job.status == "canceled"


def test_a_webhook_that_somebody_keeps_locked_keeps_back_only_its_own(receiver, send):
    locked, other = (WebhookFactory(url=receiver.url(path)) for path in ("/locked", "/other"))
    for webhook, count in ((locked, 3), (other, 5)):
        SigningSecretFactory(webhook=webhook)
        for _ in range(count):
            DeliveryFactory(webhook=webhook, event=EventFactory(client=webhook.client))
    asked, held = threading.Event(), threading.Event()

    def answer(message):
        if message.path == "/locked":
            asked.set()
            held.wait(20)
        return Reply()

    def forget_a_transaction():
        asked.wait(20)
        try:
            with transaction.atomic():
                Webhook.objects.filter(pk=locked.pk).update(description="by hand")
                held.set()
                _wait_until(lambda: statuses(other) == {"succeeded"})
                return statuses(locked)
        finally:
            connection.close()

    def statuses(webhook):
        return set(Delivery.objects.filter(webhook=webhook).values_list("status", flat=True))

    receiver.behaviour = answer
    with ThreadPoolExecutor(1) as pool:
        forgetful = pool.submit(forget_a_transaction)
        assert send() == 8
    assert "succeeded" not in forgetful.result()
    assert statuses(locked) == {"succeeded"}


def delete(webhook):
    services.delete(webhook=webhook)


def _assert_locks_first(model, first, last, change, argument):
    """Hold the first row while the change runs: it must wait for that, and not have the last."""
    worker = threading.Thread(target=_and_disconnect, args=(change, argument))
    with transaction.atomic():
        rows = model.objects.select_for_update(no_key=True, nowait=True)
        rows.get(pk=first.pk)
        worker.start()
        wait_until_somebody_waits()
        rows.get(pk=last.pk)
    worker.join(timeout=20)
    assert not worker.is_alive()


def _and_disconnect(change, webhook):
    try:
        change(webhook)
    finally:
        connection.close()


def _wait_until(look):
    end = time.monotonic() + 20
    while not look():
        assert time.monotonic() < end, look
        time.sleep(0.02)


@pytest.mark.skipif(ON_SQLITE, reason="There one waits for the other's transaction at its begin.")
def test_what_is_retried_while_a_disabled_webhook_is_held_is_sent(deliver, webhook):
    disabled_at = timezone.now() - timedelta(minutes=1)
    Webhook.objects.update(enabled=False, disabled_by="client", disabled_at=disabled_at)
    webhook.refresh_from_db()
    delivery = deliver()

    def hold_too():
        enabling.hold(webhook)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            manual.retry(delivery_id=delivery.pk)
            held = pool.submit(hold_too)
            wait_until_somebody_waits()
        held.result(30)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.trigger) == ("pending", "manual")
