"""A delivery that somebody has locked and forgotten stops no message but its own."""

from datetime import timedelta

import pytest
from django.utils import timezone

from pave.operations.retention import prune
from tests.factories import DeliveryFactory, EventFactory, SigningSecretFactory, WebhookFactory
from tests.locks import locked
from tests.servers import ON_SQLITE
from webhooks.delivery import recovery
from webhooks.models import Delivery, Event, Recovery

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself."),
]


@pytest.fixture
def deliveries(client_1234, stranger, receiver):
    """Two deliveries of client 1234 and one of another that have failed."""
    webhooks = [
        WebhookFactory(client=client, url=receiver.url("/hook"))
        for client in (client_1234.client, stranger.client)
    ]
    for webhook in webhooks:
        SigningSecretFactory(webhook=webhook)
    return [
        DeliveryFactory(
            webhook=webhook,
            event=EventFactory(client=webhook.client),
            status="failed",
            next_attempt_at=None,
        )
        for webhook in (webhooks[0], *webhooks)
    ]


def test_a_delivery_stops_no_other_message(deliveries, send):
    held = deliveries[0]
    Delivery.objects.update(status="pending", next_attempt_at=timezone.now())
    with locked(held):
        assert send() == 2
        assert [*Delivery.objects.exclude(status="succeeded")] == [held]
    assert send() == 1


def test_a_delivery_stops_no_recovery_of_others(deliveries, monkeypatch):
    monkeypatch.setattr(recovery, "LOCK_SECONDS", 0.1)
    now = timezone.now()
    window = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
    held, _, other = deliveries
    jobs = [recovery.start(webhook=each.webhook, **window) for each in (held, other)]
    with locked(held):
        for _ in range(3):
            recovery.advance_all()
        assert [Recovery.objects.get(pk=job.pk).queued for job in jobs] == [0, 1]
    recovery.advance_all()
    assert [Recovery.objects.get(pk=job.pk).queued for job in jobs] == [2, 1]


def test_what_is_retried_while_it_expires_is_not_removed(deliveries):
    """Who retries, claims or recovers a delivery locks that row, and not its event."""
    held = deliveries[0]
    with locked(held):
        for _ in prune(now=timezone.now() + timedelta(days=1000)):
            pass
    assert [*Delivery.objects.all()] == [held]
    assert [*Event.objects.all()] == [held.event]
