"""Writing down what came of attempts, and what happens next."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from webhooks import endpoints
from webhooks.claiming import Claim
from webhooks.models import Delivery, DeliveryAttempt, Webhook
from webhooks.retry import next_delay
from webhooks.signing import mask_headers
from webhooks.transport import Outcome

logger = logging.getLogger(__name__)

GONE = 410
# With nothing but failure for so long, a webhook is disabled.
FAILING_LIMIT = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Sent:
    """A claim, the headers that went out with it, and what came back."""

    claim: Claim
    headers: dict[str, str]
    outcome: Outcome


def record(sent: Sequence[Sent], *, now: datetime, worker: str) -> None:
    """Write the attempts and each delivery's next state, in a few statements for all.

    A delivery that is no longer this worker's, since its lease ended meanwhile, keeps the state
    that somebody else gave it; the attempt is on record all the same.
    """
    if not sent:
        return
    with transaction.atomic():
        DeliveryAttempt.objects.bulk_create([_attempt(one) for one in sent], ignore_conflicts=True)
        ours = {
            delivery.pk: delivery
            for delivery in Delivery.objects.select_for_update().filter(
                pk__in=[one.claim.delivery_id for one in sent],
                status=Delivery.Status.DELIVERING,
                claimed_by=worker,
            )
        }
        mine = [
            one
            for one in sent
            if (delivery := ours.get(one.claim.delivery_id))
            and delivery.attempts == one.claim.number
        ]
        Delivery.objects.filter(
            pk__in=[one.claim.delivery_id for one in mine if one.outcome.ok]
        ).update(
            status=Delivery.Status.SUCCEEDED,
            finished_at=now,
            next_attempt_at=None,
            lease_expires_at=None,
            claimed_by="",
        )
        failures = [one for one in mine if not one.outcome.ok]
        _note_health(sent, now)
        _reschedule([(ours[one.claim.delivery_id], one) for one in failures], now)
    for one in sent:
        _log(one)


def _attempt(sent: Sent) -> DeliveryAttempt:
    outcome = sent.outcome
    return DeliveryAttempt(
        delivery_id=sent.claim.delivery_id,
        number=sent.claim.number,
        url=sent.claim.url,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        resolved_address=outcome.resolved_address or "",
        status_code=outcome.status,
        error=outcome.error,
        detail=outcome.detail[:500],
        request_headers=mask_headers(sent.headers),
        response_headers=outcome.response_headers,
        response_head=outcome.response_head,
        timings=outcome.timings,
    )


def _note_health(sent: Sequence[Sent], now: datetime) -> None:
    """Keep each webhook's ``failing_since``, and disable those that are gone or long failing."""
    healthy = {one.claim.webhook_id for one in sent if one.outcome.ok}
    failing = {one.claim.webhook_id for one in sent if not one.outcome.ok} - healthy
    if healthy:
        Webhook.objects.filter(pk__in=healthy).exclude(failing_since=None).update(
            failing_since=None
        )
    if failing:
        Webhook.objects.filter(pk__in=failing, failing_since=None).update(failing_since=now)
        for webhook in Webhook.objects.filter(
            pk__in=failing, enabled=True, failing_since__lte=now - FAILING_LIMIT
        ):
            endpoints.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.FAILING, now=now)
    for webhook_id in {one.claim.webhook_id for one in sent if one.outcome.status == GONE}:
        endpoints.disable(webhook_id=webhook_id, by=Webhook.DisabledBy.GONE, now=now)


def _reschedule(failures: Sequence[tuple[Delivery, Sent]], now: datetime) -> None:
    """Give each failed delivery its next attempt, or its end."""
    if not failures:
        return
    disabled = set(
        Webhook.objects.filter(
            pk__in={delivery.webhook_id for delivery, _ in failures}, enabled=False
        ).values_list("pk", flat=True)
    )
    for delivery, one in failures:
        delay = next_delay(
            attempt=delivery.attempts,
            schedule=settings.PAVE_WEBHOOK_RETRY_SCHEDULE,
            retry_after=one.outcome.response_headers.get("retry-after"),
            now=now,
        )
        delivery.lease_expires_at = None
        delivery.claimed_by = ""
        delivery.next_attempt_at = None
        if delay is None:
            delivery.status = Delivery.Status.FAILED
            delivery.finished_at = now
        elif delivery.webhook_id in disabled:
            delivery.status = Delivery.Status.HELD
        else:
            delivery.status = Delivery.Status.PENDING
            delivery.next_attempt_at = now + delay
    Delivery.objects.bulk_update(
        [delivery for delivery, _ in failures],
        ["status", "next_attempt_at", "lease_expires_at", "claimed_by", "finished_at"],
        batch_size=200,
    )


def _log(sent: Sent) -> None:
    logger.info(
        "delivery.%s delivery=%s webhook=%s event=%s attempt=%s status=%s error=%s ms=%s",
        "succeeded" if sent.outcome.ok else "attempt_failed",
        sent.claim.delivery_id,
        sent.claim.webhook_id,
        sent.claim.event_id,
        sent.claim.number,
        sent.outcome.status,
        sent.outcome.error or "-",
        sent.outcome.duration_ms,
    )
