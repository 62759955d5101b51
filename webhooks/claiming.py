"""Taking due deliveries, fairly and each by one sender only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Q

from webhooks.models import Delivery, SigningSecret, Webhook

# Webhooks looked at in one claim; those that wait longest come first.
MAX_WEBHOOKS = 100


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this sender, and no other, may now attempt."""

    delivery_id: UUID
    webhook_id: UUID
    event_id: UUID
    number: int
    url: str
    body: bytes
    headers: dict[str, str]
    secrets: tuple[str, ...]


def claim(*, now: datetime, slots: int, worker: str) -> list[Claim]:
    """Claim up to ``slots`` due deliveries, shared out evenly among the webhooks that have any.

    The webhooks' rows are locked meanwhile, and locked ones passed over, so that two senders
    together never have more under way for a webhook than its ``max_in_flight``. The cost does not
    grow with backlogs or with finished rows: everything is found by small partial indexes.

    Args:
        now: The present.
        slots: How many messages can be sent at once; at least 1.
        worker: This process's name (``pave.operations.identity``).
    """
    if not Delivery.objects.due(now).exists():
        return []
    with transaction.atomic():
        webhooks = {
            webhook.pk: webhook
            for webhook in Webhook.objects.with_due(now).select_for_update(
                skip_locked=True, no_key=True, of=("self",)
            )[: min(slots, MAX_WEBHOOKS)]
        }
        if not webhooks:
            return []
        ids = _pick(webhooks, now, share=max(1, slots // len(webhooks)))
        Delivery.objects.filter(pk__in=ids, status=Delivery.Status.PENDING).update(
            status=Delivery.Status.DELIVERING,
            attempts=F("attempts") + 1,
            lease_expires_at=now + timedelta(seconds=settings.PAVE_DELIVERY_LEASE),
            claimed_by=worker,
        )
        deliveries = list(
            Delivery.objects.filter(
                pk__in=ids, status=Delivery.Status.DELIVERING, claimed_by=worker
            ).select_related("event")
        )
        secrets = _live_secrets(webhooks, now)
    return [
        Claim(
            delivery_id=delivery.pk,
            webhook_id=delivery.webhook_id,
            event_id=delivery.event_id,
            number=delivery.attempts,
            url=webhooks[delivery.webhook_id].url,
            body=bytes(delivery.event.body),
            headers=webhooks[delivery.webhook_id].headers or {},
            secrets=secrets[delivery.webhook_id],
        )
        for delivery in deliveries
    ]


def _pick(webhooks: dict[UUID, Webhook], now: datetime, share: int) -> list[UUID]:
    """Return ids of due deliveries: for each webhook its oldest, as many as it has room for."""
    # Counted anew under the lock: what ``with_due`` saw may have grown before it was taken.
    in_flight = dict(
        Delivery.objects.filter(webhook__in=webhooks, status=Delivery.Status.DELIVERING)
        .order_by()
        .values_list("webhook")
        .annotate(Count("pk"))
    )
    slices = [
        Delivery.objects.due(now)
        .filter(webhook=webhook)
        .order_by("next_attempt_at", "id")
        .values_list("pk", flat=True)[: min(room, share)]
        for pk, webhook in webhooks.items()
        if (room := webhook.max_in_flight - in_flight.get(pk, 0)) > 0
    ]
    if not slices:
        return []
    if connection.features.supports_slicing_ordering_in_compound:
        return list(slices[0].union(*slices[1:], all=True))
    return list(chain.from_iterable(slices))


def _live_secrets(webhooks: Iterable[UUID], now: datetime) -> dict[UUID, tuple[str, ...]]:
    """Return each webhook's secrets that sign today, newest first."""
    live: dict[UUID, list[str]] = {pk: [] for pk in webhooks}
    for secret in SigningSecret.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), webhook__in=live
    ):
        live[secret.webhook_id].append(secret.secret)
    return {pk: tuple(secrets) for pk, secrets in live.items()}
