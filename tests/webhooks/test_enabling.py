"""Disabling holds, enabling releases, and nothing is lost between the two."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from webhooks.delivery.housekeeping import sweep
from webhooks.endpoints import enabling, services
from webhooks.endpoints.subscriptions import subscribers
from webhooks.models import Delivery, Webhook
from webhooks.publishing import Occurrence, publish
from webhooks.receiver.application import Reply, always

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

DisabledBy = Webhook.DisabledBy


def occurrence(webhook, event_type="normalization.completed"):
    subject = uuid.uuid4()
    return Occurrence(
        client_pk=webhook.client_id,
        type=event_type,
        subject_id=subject,
        data={"request_id": str(subject)},
    )


def statuses(webhook):
    return list(
        Delivery.objects.filter(webhook=webhook).order_by("id").values_list("status", "held_by")
    )


@pytest.mark.parametrize("by", DisabledBy.values)
def test_disabling_holds_what_waits_with_the_reason(deliver, webhook, by):
    deliver()
    deliver(next_attempt_at=timezone.now() + timedelta(hours=9), attempts=3, step=3)
    assert enabling.disable(webhook_id=webhook.pk, by=by)
    assert statuses(webhook) == [("held", by), ("held", by)]
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.disabled_by) == (False, by)


def test_disabling_twice_keeps_the_first_reason(deliver, webhook):
    assert enabling.disable(webhook_id=webhook.pk, by=DisabledBy.GONE)
    assert not enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    webhook.refresh_from_db()
    assert webhook.disabled_by == "gone"


def test_disabling_touches_nothing_else(deliver, webhook):
    done = deliver(status="succeeded", next_attempt_at=None)
    in_flight = deliver(status="delivering")
    other = deliver(services.create(client=webhook.client, url=webhook.url)[0])
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    for delivery, status in ((done, "succeeded"), (in_flight, "delivering"), (other, "pending")):
        delivery.refresh_from_db()
        assert delivery.status == status


def test_new_events_for_a_disabled_webhook_are_held_too(webhook):
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    publish([occurrence(webhook)], now=timezone.now())
    assert statuses(webhook) == [("held", "client")]


def test_what_fails_while_its_webhook_is_disabled_is_held(send, deliver, receiver, webhook):
    receiver.behaviour = always(Reply(status=500))
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    delivery = deliver(trigger="recover")
    assert send() == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.held_by) == ("held", "client")


def test_enabling_releases_oldest_first(send, deliver, receiver, webhook):
    Webhook.objects.update(max_in_flight=1)
    base = timezone.now() - timedelta(hours=1)
    deliveries = [deliver(created_at=base + timedelta(minutes=n)) for n in range(5)]
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    newest = publish([occurrence(webhook)], now=timezone.now())
    assert newest == 1
    assert enabling.enable(webhook=webhook) == 6
    assert webhook.enabled
    assert webhook.disabled_by == ""
    fresh = deliver()
    assert send() == 7
    ids = [message.webhook_id for message in receiver.messages]
    assert ids[:5] == [str(delivery.event_id) for delivery in deliveries]
    assert ids[6] == str(fresh.event_id)


def test_enabling_resets_the_health(webhook):
    now = timezone.now()
    Webhook.objects.update(
        failing_since=now - timedelta(days=6),
        breaker_failures=7,
        breaker_opened_at=now,
        paused_until=now + timedelta(minutes=9),
    )
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.FAILING)
    enabling.enable(webhook=webhook)
    assert webhook.failing_since is None
    assert webhook.breaker == "closed"
    assert not webhook.is_paused(now)


def test_enabling_what_is_enabled_changes_nothing(deliver, webhook):
    Webhook.objects.update(failing_since=timezone.now())
    assert enabling.enable(webhook=webhook) == 0
    webhook.refresh_from_db()
    assert webhook.failing_since is not None


def test_a_sweep_goes_on_with_webhooks_for_a_while_only(deliver, webhook, monkeypatch):
    """Else one client with many that change holds up what the sweep does for the others."""
    other, _ = services.create(client=webhook.client, url=webhook.url)
    for one in (webhook, other):
        deliver(one)
    Webhook.objects.update(enabled=False, disabled_by="client")
    monkeypatch.setattr(enabling, "RECONCILE_SECONDS", 0)
    sweep()
    assert Delivery.objects.held().count() == 1
    sweep()
    assert Delivery.objects.held().count() == 2


def test_a_sweep_takes_clients_in_turn_however_many_webhooks_they_have():
    changes = [(1, f"A {number}") for number in range(50)] + [(2, "B")]
    for _ in range(20):  # in whatever order they are drawn
        in_turn = list(enabling._by_clients_in_turn(changes))
        assert "B" in in_turn[:2]
        assert sorted(in_turn) == sorted(change for _, change in changes)


def test_what_is_released_goes_out_as_automatic(deliver, webhook):
    """Even if it was retried by hand while it was held, and failed."""
    delivery = deliver(status="held", held_by="client", trigger="manual", next_attempt_at=None)
    Webhook.objects.update(enabled=False, disabled_by="client")
    enabling.enable(webhook=webhook)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.trigger) == ("pending", "automatic")


def test_a_client_does_not_enable_what_staff_have_just_disabled(webhook):
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.STAFF)
    assert webhook.enabled  # as it was read before
    with pytest.raises(enabling.DisabledByStaff):
        enabling.enable(webhook=webhook, by_client=True)
    webhook.refresh_from_db()
    assert not webhook.enabled


def test_staff_may_disable_what_its_client_has_disabled(webhook):
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.STAFF)
    with pytest.raises(enabling.DisabledByStaff):
        enabling.enable(webhook=webhook, by_client=True)


def test_large_backlogs_are_held_and_released_in_batches(deliver, webhook, monkeypatch):
    monkeypatch.setattr(enabling, "BATCH", 3)
    for _ in range(8):
        deliver()
    now = timezone.now()
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    assert [status for status, _ in statuses(webhook)].count("held") == 3
    for _ in range(2):
        sweep(now=now)
    assert [status for status, _ in statuses(webhook)].count("held") == 8
    assert enabling.enable(webhook=webhook) == 3
    for _ in range(2):
        sweep(now=now)
    assert set(statuses(webhook)) == {("pending", "")}


def test_the_sweep_corrects_a_publisher_that_saw_the_old_state(deliver, webhook):
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    late = deliver()  # pending, though the webhook is disabled
    sweep()
    late.refresh_from_db()
    assert (late.status, late.held_by) == ("held", "client")
    enabling.enable(webhook=webhook)
    late = deliver(status="held", held_by="client", next_attempt_at=None)
    sweep()
    late.refresh_from_db()
    assert late.status == "pending"


def test_deleting_cancels_what_waits_and_keeps_the_record(send, deliver, webhook):
    done = deliver()
    send()
    waiting = deliver()
    held = deliver(status="held", next_attempt_at=None)
    services.delete(webhook=webhook)
    for delivery, status in ((done, "succeeded"), (waiting, "canceled"), (held, "canceled")):
        delivery.refresh_from_db()
        assert delivery.status == status
    assert not webhook.secrets.exists()
    assert subscribers([webhook.client_id]) == {webhook.client_id: []}
    late = deliver()
    sweep()
    late.refresh_from_db()
    assert late.status == "canceled"


def test_a_disabled_webhook_is_not_called(send, deliver, receiver, webhook):
    receiver.behaviour = always(Reply(status=500))
    enabling.disable(webhook_id=webhook.pk, by=DisabledBy.CLIENT)
    publish([occurrence(webhook)], now=timezone.now())
    assert send() == 0
    assert not receiver.messages


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(status=410),
        Reply(status=500),
        Reply(headers={"Webhook-Delivery": "disable"}),
    ],
)
def test_what_an_old_url_answers_says_nothing_about_the_new_one(
    send, deliver, receiver, webhook, reply
):
    def move_first(message):
        services.change(webhook=Webhook.objects.get(), fields={"url": receiver.url("/new")})
        connection.close()
        return reply

    receiver.behaviour = move_first
    deliver()
    assert send() == 1
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.failing_since, webhook.breaker_failures) == (True, None, 0)
    assert (webhook.url, webhook.steady) == (receiver.url("/new"), None)
