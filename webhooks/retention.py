"""How long events, deliveries and related rows are kept."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from pave.core.ids import first_id_at
from pave.operations.retention import Expiry
from webhooks.models import Delivery, Event, Recovery, SigningSecret, Webhook

# What is held for a disabled webhook is not among them: it goes with its event, too.
UNFINISHED = (Delivery.Status.PENDING, Delivery.Status.DELIVERING)


def expiries(*, now: datetime, cutoff: datetime) -> Iterator[Expiry]:
    """Yield what expires: events with their deliveries, and old recoveries, secrets, webhooks.

    What is held for a disabled webhook becomes ``failed`` before: enabling releases no more of it,
    a recovery still sends it.
    """
    yield Expiry(
        "events", Event.objects.filter(pk__lt=first_id_at(cutoff)), _delivered, _lock_deliveries
    )
    too_old = now - timedelta(days=settings.PAVE_HELD_DAYS)
    # Webhook by webhook, as its index has them.
    for webhook in Webhook.objects.existing().filter(enabled=False).values_list("pk", flat=True):
        held = Delivery.objects.held().filter(webhook=webhook, created_at__lt=too_old)
        yield Expiry("held messages", held, remove=partial(_give_up, now=now))
    yield Expiry(
        "recoveries",
        Recovery.objects.filter(pk__lt=first_id_at(cutoff), completed_at__lt=cutoff),
    )
    yield Expiry("secrets", SigningSecret.objects.filter(expires_at__lt=now))
    yield Expiry(
        "deleted webhooks", Webhook.objects.filter(deleted_at__lt=cutoff), _without_deliveries
    )


def _give_up(held: QuerySet[Any], *, now: datetime) -> None:
    held.update(status=Delivery.Status.FAILED, finished_at=now)


def _delivered(events: QuerySet[Any]) -> QuerySet[Any]:
    """Leave out events with deliveries that wait."""
    unfinished = Delivery.objects.filter(event=OuterRef("pk"), status__in=UNFINISHED)
    return events.filter(~Exists(unfinished))


def _lock_deliveries(events: list[UUID]) -> list[UUID]:
    """Lock the deliveries of events, any of which may be claimed, retried or recovered just now."""
    deliveries = Delivery.objects.filter(event__in=events)
    unlocked = deliveries.select_for_update(no_key=True, skip_locked=True).order_by("id")
    locked = set(unlocked.values_list("pk", flat=True))
    in_use = {event for pk, event in deliveries.values_list("pk", "event_id") if pk not in locked}
    return [event for event in events if event not in in_use]


def _without_deliveries(webhooks: QuerySet[Any]) -> QuerySet[Any]:
    return webhooks.filter(~Exists(Delivery.objects.filter(webhook=OuterRef("pk"))))
