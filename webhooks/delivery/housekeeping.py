"""Requeueing interrupted deliveries, once a second and when a worker dies."""

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from pave.core import clock
from webhooks.delivery.fair_share import has_due_work
from webhooks.delivery.results import INTERRUPTED
from webhooks.endpoints import contact_mails, enabling, mail
from webhooks.models import Delivery, DeliveryAttempt, Recovery, Webhook
from webhooks.wakeups import RECOVER, SEND, SEND_MAILS

logger = logging.getLogger(__name__)

# Stale deliveries requeued in one sweep.
SWEEP_BATCH = 500


def sweep(*, now: datetime | None = None) -> None:
    """Requeue deliveries whose dispatcher died, and wake workers for what is due."""
    ended_by = now or clock.leases_ended_by(settings.PAVE_DELIVERY_LEASE)
    now = now or timezone.now()
    _requeue(Delivery.objects.stale(ended_by).order_by("lease_expires_at")[:SWEEP_BATCH], now)
    if Recovery.objects.running().exists():
        RECOVER.send()
    if not mail.is_unavailable() and (
        Webhook.objects.awaiting_alert().exists() or contact_mails.due().exists()
    ):
        SEND_MAILS.send()
    if has_due_work(now):
        SEND.send()
    enabling.reconcile(now=now)  # last, since somebody may have locked its rows


def requeue(*, worker: str) -> None:
    """Requeue what the dead ``worker``, or all workers of a dead cluster, had claimed."""
    interrupted = Delivery.objects.in_flight().filter(claimed_by__startswith=worker)
    if _requeue(interrupted, timezone.now()):
        SEND.send()


def _requeue(interrupted: QuerySet[Delivery], now: datetime) -> int:
    """Make deliveries due again at once, with a row for each attempt whose outcome is unknown.

    The endpoint may have got the message; the repeat has the same ``webhook-id``. A test for
    which its caller waited is not repeated: it got no response, and may send another.
    """
    with transaction.atomic():
        deliveries = list(
            interrupted.select_related("webhook").select_for_update(
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
                    detail="The sender ended before it could record the outcome of this attempt.",
                )
                for delivery in deliveries
            ],
            ignore_conflicts=True,
        )
        released = {"lease_expires_at": None, "claimed_by": ""}
        locked = Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
        locked.filter(trigger=Delivery.Trigger.TEST).update(
            status=Delivery.Status.FAILED, finished_at=now, **released
        )
        locked.in_flight().update(status=Delivery.Status.PENDING, next_attempt_at=now, **released)
    for delivery in deliveries:
        logger.warning(
            "delivery.requeued",
            extra={
                "delivery": delivery.pk,
                "attempt": delivery.attempts,
                "worker": delivery.claimed_by,
            },
        )
    return len(deliveries)
