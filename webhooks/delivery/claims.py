"""Claiming due deliveries, fairly and each for one dispatcher only."""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from pave.core.database.along_index import exists_along
from webhooks.delivery.fair_share import (
    Candidate,
    Capacity,
    distribute,
    in_flight_by_webhook,
    webhooks_with_due,
)
from webhooks.event_types import TEST
from webhooks.fields import Unreadable
from webhooks.models import Delivery, SigningSecret, Webhook, claim_queries

logger = logging.getLogger(__name__)

# A search for webhooks with due deliveries that takes longer than this, in seconds, is repeated
# less often: it may use this share of a dispatcher's time. In between the last result is used.
FREE_SEARCH_SECONDS = 0.02
SEARCH_TIME_SHARE = 0.2
# A webhook whose secrets or headers this process cannot decrypt is left alone for this long.
UNREADABLE_SECONDS = 30.0

# Until when, in seconds of the monotonic clock.
_unreadable_until: dict[UUID, float] = {}


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this dispatcher, and no other, may now attempt.

    Its secrets are not in its ``repr``.
    """

    delivery_id: UUID
    webhook_id: UUID
    client_id: int
    event_id: UUID
    subject_id: UUID
    number: int
    trigger: str
    is_test: bool
    url: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    steady: bool | None = None


class Claimer:
    """Claims due deliveries for one dispatcher.

    Clients are served in the order in which they were last served, those never served first, and
    so are the webhooks of each. They share a claim evenly, so that a backlog of any length, on
    however many webhooks, delays the others by no more than their own share.

    Args:
        worker: this process's name (``pave.operations.cluster.worker_names``).
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._served: dict[UUID, float] = {}
        self._clients_served: dict[int, float] = {}
        self._webhooks: list[Webhook] = []
        self._next_search_at = 0.0

    def claim(
        self,
        *,
        now: datetime,
        capacity: Capacity,
        slow: Collection[UUID] = (),
        capacity_of: Callable[[int], Capacity] | None = None,
    ) -> list[Claim]:
        """Claim deliveries that are due.

        Args:
            now: the present.
            capacity: how many messages can be sent at once.
            slow: webhooks that keep this dispatcher waiting now; they count as suspect.
            capacity_of: of these, how many of one client, by its primary key; None: all.
        """
        if capacity.all < 1 or not exists_along(Delivery.objects.due(now), "next_attempt_at"):
            return []
        in_flight = in_flight_by_webhook()
        looked_at = time.monotonic()
        candidates = [
            Candidate(
                webhook.pk,
                webhook.client_id,
                limit=webhook.remaining_capacity(in_flight.get(webhook.pk, 0)),
                steady=webhook.steady if webhook.pk not in slow else False,
            )
            for webhook in self._webhooks_with_due(now)
            if _unreadable_until.get(webhook.pk, 0.0) <= looked_at
        ]
        share = distribute(candidates, capacity, capacity_of)
        if not share:
            return []
        claims = _claim_shares(
            share,
            now=now,
            worker=self._worker,
            steady={candidate.webhook_id: candidate.steady for candidate in candidates},
        )
        served_at = time.monotonic()
        # In reverse: the last ones, which may have got one less, are first next time.
        for candidate in reversed(candidates):
            if candidate.webhook_id in share:
                served_at += 1e-9
                self._served[candidate.webhook_id] = served_at
                self._clients_served[candidate.client_id] = served_at
        missed = share.keys() - {claim.webhook_id for claim in claims}
        self._webhooks = [webhook for webhook in self._webhooks if webhook.pk not in missed]
        return claims

    def _webhooks_with_due(self, now: datetime) -> list[Webhook]:
        """Return the webhooks with due deliveries, in the order of their last service."""
        started = time.monotonic()
        if started >= self._next_search_at:
            self._webhooks = webhooks_with_due(now)
            elapsed = time.monotonic() - started
            self._next_search_at = (
                started + elapsed / SEARCH_TIME_SHARE if elapsed > FREE_SEARCH_SECONDS else 0.0
            )
            if len(self._served) > 10 * max(1000, len(self._webhooks)):
                self._served.clear()
                self._clients_served.clear()
        self._webhooks.sort(
            key=lambda webhook: (
                self._clients_served.get(webhook.client_id, 0.0),
                self._served.get(webhook.pk, 0.0),
            )
        )
        return self._webhooks


def claim_for(delivery: Delivery, *, now: datetime) -> Claim:
    """Return the claim for a delivery that was created as claimed."""
    webhook = delivery.webhook
    secrets = _live_secrets([webhook], now)
    return _build_claims([delivery], {webhook.pk: webhook}, secrets, {})[0]


def live_secrets(webhook: Webhook, *, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign a webhook's messages today, newest first."""
    return _live_secrets([webhook], now).get(webhook.pk, ())


def _claim_shares(
    share: dict[UUID, int], *, now: datetime, worker: str, steady: dict[UUID, bool | None]
) -> list[Claim]:
    """Claim what is due for each webhook, up to its share.

    The webhooks' rows are locked meanwhile, and locked ones skipped, so that dispatchers together
    never have more in flight for a webhook than its limit.
    """
    with transaction.atomic():
        webhooks = {
            webhook.pk: webhook
            for webhook in Webhook.objects.existing()
            .filter(pk__in=share)
            .select_for_update(skip_locked=True, no_key=True)
        }
        secrets = _live_secrets(webhooks.values(), now)
        for pk in webhooks.keys() - secrets.keys():
            logger.error("webhook.unreadable", extra={"webhook": pk})
            _unreadable_until[pk] = time.monotonic() + UNREADABLE_SECONDS
            del webhooks[pk]
        # Counted again under the lock: it may have grown since.
        in_flight = in_flight_by_webhook(webhooks)
        counts_by_kind: dict[str, dict[UUID, int]] = {}
        for pk, webhook in webhooks.items():
            count = min(share[pk], webhook.remaining_capacity(in_flight.get(pk, 0)))
            if count:
                counts_by_kind.setdefault(_sendable_kind(webhook, now), {})[pk] = count
        ids = [
            pk
            for kind, counts in counts_by_kind.items()
            for pk in claim_queries.next_due_per_webhook(counts, kind, now)
        ]
        if not ids:
            return []
        deliveries = list(
            Delivery.objects.waiting()
            .filter(pk__in=ids)
            .select_related("event")
            .select_for_update(skip_locked=True, no_key=True, of=("self",))
            .order_by("id")
        )
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries]).update(
            status=Delivery.Status.DELIVERING,
            attempts=F("attempts") + 1,
            lease_expires_at=now + timedelta(seconds=settings.PAVE_DELIVERY_LEASE),
            claimed_by=worker,
        )
        for delivery in deliveries:
            delivery.attempts += 1
        return _build_claims(deliveries, webhooks, secrets, steady)


def _sendable_kind(webhook: Webhook, now: datetime) -> str:
    """Return which kind of deliveries may be sent to a webhook in its present state."""
    if webhook.is_paused(now):
        return claim_queries.MANUAL
    return claim_queries.PENDING if webhook.enabled else claim_queries.ON_DEMAND


def _build_claims(
    deliveries: Sequence[Delivery],
    webhooks: dict[UUID, Webhook],
    secrets: dict[UUID, tuple[str, ...]],
    steady: dict[UUID, bool | None],
) -> list[Claim]:
    return [
        Claim(
            delivery_id=delivery.pk,
            webhook_id=delivery.webhook_id,
            client_id=webhooks[delivery.webhook_id].client_id,
            event_id=delivery.event_id,
            subject_id=delivery.event.subject_id,
            number=delivery.attempts,
            trigger=delivery.trigger,
            is_test=delivery.event.type == TEST,
            url=webhooks[delivery.webhook_id].url,
            body=bytes(delivery.event.body),
            headers=webhooks[delivery.webhook_id].headers or {},
            secrets=secrets.get(delivery.webhook_id, ()),
            steady=steady.get(delivery.webhook_id),
        )
        for delivery in deliveries
    ]


def _live_secrets(webhooks: Collection[Webhook], now: datetime) -> dict[UUID, tuple[str, ...]]:
    """Return each webhook's secrets that sign today, newest first.

    A webhook is missing if none of them can be decrypted, or its headers cannot be: a message
    without these would not be what its client has ordered.
    """
    live: dict[UUID, list[str]] = {webhook.pk: [] for webhook in webhooks}
    unreadable = {webhook.pk for webhook in webhooks if isinstance(webhook.headers, Unreadable)}
    some_unreadable: set[UUID] = set()
    for secret in SigningSecret.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), webhook__in=live
    ):
        if isinstance(secret.secret, Unreadable):
            some_unreadable.add(secret.webhook_id)
        else:
            live[secret.webhook_id].append(secret.secret)
    unreadable |= {pk for pk in some_unreadable if not live[pk]}
    return {pk: tuple(secrets) for pk, secrets in live.items() if pk not in unreadable}
