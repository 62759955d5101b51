"""Sending again what never succeeded in a window of time.

A recovery is a row, and goes on in batches: each is one transaction, which also notes how far it
has come. So it can be interrupted anywhere, and the sweep has it taken up again. A batch is small
and waits for the one before it, so that a recovery never floods an endpoint or the queue.
"""

import logging
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from webhooks.bells import RECOVER, SEND
from webhooks.models import Delivery, Recovery, Webhook

logger = logging.getLogger(__name__)

Status = Delivery.Status
Trigger = Delivery.Trigger

BATCH = 500


def unsuccessful(*, webhook_id: UUID, since: datetime, until: datetime) -> QuerySet[Delivery]:
    """Return what was made in a window and never succeeded: failed, held, or waiting for a retry.

    What waits for its first attempt is on its way, as is what another recovery has put there.
    """
    return Delivery.objects.filter(
        Q(status__in=[Status.FAILED, Status.HELD])
        | Q(status=Status.PENDING, trigger=Trigger.AUTOMATIC, attempts__gt=0),
        webhook=webhook_id,
        created_at__gte=since,
        created_at__lt=until,
    ).exclude(trigger=Trigger.TEST)


def count(*, webhook: Webhook, since: datetime, until: datetime) -> dict[str, int]:
    """Return how many deliveries a recovery would send, by status."""
    found = unsuccessful(webhook_id=webhook.pk, since=since, until=until)
    counts = dict(found.order_by().values_list("status").annotate(Count("pk")))
    return {
        status: counts.get(status, 0) for status in (Status.FAILED, Status.HELD, Status.PENDING)
    }


def start(*, webhook: Webhook, since: datetime, until: datetime) -> Recovery:
    """Begin a recovery; the cluster does the work."""
    with transaction.atomic():
        recovery = Recovery.objects.create(
            webhook=webhook,
            since=since,
            until=until,
            total=sum(count(webhook=webhook, since=since, until=until).values()),
            created_at=timezone.now(),
        )
        RECOVER.ring()
    logger.info(
        "recovery.started recovery=%s webhook=%s total=%s", recovery.pk, webhook.pk, recovery.total
    )
    return recovery


def advance_all() -> None:
    """Take every running recovery one step further."""
    for pk in Recovery.objects.running().values_list("pk", flat=True):
        while advance(pk):
            pass


def advance(recovery_id: UUID, *, now: datetime | None = None) -> bool:
    """Put the next batch of a recovery on its way, if the one before it has gone.

    Returns:
        Whether there may be more to do at once.
    """
    now = now or timezone.now()
    with transaction.atomic():
        recovery = (
            Recovery.objects.running()
            .filter(pk=recovery_id)
            .select_for_update(skip_locked=True, no_key=True)
            .first()
        )
        if recovery is None:
            return False
        waiting = Delivery.objects.filter(
            recovery=recovery,
            status__in=[Status.PENDING, Status.DELIVERING],
            trigger=Trigger.RECOVER,
        ).count()
        if recovery.all_queued:
            if waiting:
                return False
            recovery.status = Recovery.Status.COMPLETED
            recovery.completed_at = now
        elif waiting > BATCH:
            return False
        else:
            _queue_batch(recovery, now)
        recovery.save()
    if recovery.status == Recovery.Status.COMPLETED:
        logger.info(
            "recovery.completed recovery=%s webhook=%s queued=%s",
            recovery.pk,
            recovery.webhook_id,
            recovery.queued,
        )
    return recovery.status == Recovery.Status.RUNNING


def progress(recovery: Recovery) -> dict[str, Any]:
    """Return how far a recovery is."""
    by_status = dict(recovery.deliveries.order_by().values_list("status").annotate(Count("pk")))
    return {
        "total": recovery.total,
        "queued": recovery.queued,
        **{status: by_status.get(status, 0) for status in Status.values},
    }


def _queue_batch(recovery: Recovery, now: datetime) -> None:
    found = unsuccessful(webhook_id=recovery.webhook_id, since=recovery.since, until=recovery.until)
    if recovery.last_id is not None:
        found = found.filter(pk__gt=recovery.last_id)
    ids = list(found.order_by("id").values_list("pk", flat=True)[:BATCH])
    if len(ids) < BATCH:
        recovery.all_queued = True
    if not ids:
        return
    recovery.last_id = ids[-1]
    # Conditional once more: a sender, or somebody by hand, may have been quicker.
    recovery.queued += (
        unsuccessful(webhook_id=recovery.webhook_id, since=recovery.since, until=recovery.until)
        .filter(pk__in=ids)
        .update(
            status=Status.PENDING,
            trigger=Trigger.RECOVER,
            recovery=recovery,
            step=0,
            held_by="",
            next_attempt_at=now,
            finished_at=None,
        )
    )
    SEND.ring()
