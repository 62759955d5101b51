"""Putting back what was lost, once a second and when a worker dies."""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from webhooks.delivery.fair_share import is_work_waiting
from webhooks.delivery.results import INTERRUPTED
from webhooks.endpoints import enabling
from webhooks.models import Delivery, DeliveryAttempt, Recovery, Webhook
from webhooks.wakeups import ALERT_STAFF, RECOVER, SEND

logger = logging.getLogger(__name__)

# Stale deliveries put back in one sweep.
SWEEP_BATCH = 500


def sweep(*, now: datetime | None = None) -> None:
    """Put back deliveries whose sender died, and wake whoever has something to do."""
    now = now or timezone.now()
    _put_back(Delivery.objects.stale(now).order_by("lease_expires_at")[:SWEEP_BATCH], now)
    enabling.reconcile(now=now)
    if Recovery.objects.running().exists():
        RECOVER.send()
    if Webhook.objects.awaiting_alert().exists():
        ALERT_STAFF.send()
    if is_work_waiting(now):
        SEND.send()


def requeue(*, worker: str) -> None:
    """Put back what the dead ``worker``, or all workers of a dead cluster, had claimed."""
    lost = Delivery.objects.in_flight().filter(claimed_by__startswith=worker)
    if _put_back(lost, timezone.now()):
        SEND.send()


def _put_back(lost: QuerySet[Delivery], now: datetime) -> int:
    """Make deliveries due again at once, with a row for each attempt whose outcome is unknown.

    The endpoint may have taken the message; the repeat bears the same ``webhook-id``. A test is
    not repeated: whoever asked for it has had no answer, and may ask again.
    """
    with transaction.atomic():
        deliveries = list(
            lost.select_related("webhook").select_for_update(
                skip_locked=True, no_key=True, of=("self",)
            )
        )
        if not deliveries:
            return 0
        DeliveryAttempt.objects.bulk_create(
            [
                DeliveryAttempt(
                    delivery=delivery,
                    number=delivery.attempts,
                    trigger=delivery.trigger,
                    url=delivery.webhook.url,
                    started_at=now,
                    error=INTERRUPTED,
                    detail="The sender ended before it could record what came of this attempt.",
                )
                for delivery in deliveries
            ],
            ignore_conflicts=True,
        )
        free = {"lease_expires_at": None, "claimed_by": ""}
        some = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
        some.filter(trigger=Delivery.Trigger.TEST).update(
            status=Delivery.Status.FAILED, finished_at=now, **free
        )
        some.in_flight().update(status=Delivery.Status.PENDING, next_attempt_at=now, **free)
    for delivery in deliveries:
        logger.warning(
            "delivery.put_back delivery=%s attempt=%s worker=%s",
            delivery.pk,
            delivery.attempts,
            delivery.claimed_by,
        )
    return len(deliveries)
