"""Sending again what never succeeded in a window of time.

A recovery is a row, and advances in batches: each is one transaction, which also records the
progress. So it can be interrupted anywhere, and the sweep resumes it. A batch is queued
once no more than another batch is unfinished, so that a recovery never floods an endpoint or the
queue.
"""

import logging
import time
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from pave.core.database import lock_limit
from pave.core.ids import created_within
from pave.operations.cluster import shutdown
from webhooks.event_types import TEST
from webhooks.models import Delivery, DeliveryQuerySet, Recovery, Webhook
from webhooks.wakeups import RECOVER, SEND

logger = logging.getLogger(__name__)

Status = Delivery.Status
Trigger = Delivery.Trigger

_UNSUCCESSFUL = (
    Q(status=Status.FAILED),
    Q(status=Status.HELD),
    Q(status=Status.PENDING, trigger=Trigger.AUTOMATIC, attempts__gt=0),
)

# More of a status are not counted: the caller waits.
COUNTED = 100_000
BATCH = 500
# How long a worker goes on with recoveries before it takes other tasks.
SLICE_SECONDS = 2.0
# How long one waits for rows that somebody has locked: all others wait behind it.
LOCK_SECONDS = 0.5


class AlreadyRunning(Exception):
    """Another recovery of the webhook is running; the message is for its client."""


def unsuccessful(*, webhook_id: UUID, since: datetime, until: datetime) -> list[DeliveryQuerySet]:
    """Return what was created in a window and never succeeded: failed, held, or awaiting a retry.

    Deliveries that wait for their first attempt, or were queued by a recovery, are left out.

    Returns:
        A query for each of these states: PostgreSQL has indexes for them, and for all together it
        may read everything in the window.
    """
    created = Delivery.objects.filter(webhook=webhook_id, **created_within(since, until))
    return [created.filter(state) for state in _UNSUCCESSFUL]


def count(*, webhook: Webhook, since: datetime, until: datetime) -> dict[str, int]:
    """Return how many deliveries a recovery would send, by status, up to ``COUNTED`` of each."""
    failed, held, pending = (
        deliveries.exclude(event__type=TEST).order_by()[:COUNTED].count()
        for deliveries in unsuccessful(webhook_id=webhook.pk, since=since, until=until)
    )
    return {Status.FAILED: failed, Status.HELD: held, Status.PENDING: pending}


def start(*, webhook: Webhook, since: datetime, until: datetime) -> Recovery:
    """Start a recovery for the cluster; one with nothing to send is completed at once.

    Raises:
        AlreadyRunning: Another recovery of this webhook is running.
    """
    total = sum(count(webhook=webhook, since=since, until=until).values())
    now = timezone.now()
    with transaction.atomic():
        webhook = Webhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        if webhook.deleted_at:
            total = 0
        if running := Recovery.objects.running().filter(webhook=webhook).first():
            raise AlreadyRunning(
                f"The recovery {running.pk} of this webhook is still running. "
                "Start another one when it is completed."
            )
        recovery = Recovery(webhook=webhook, since=since, until=until, total=total, created_at=now)
        if total:
            RECOVER.send()
        else:
            _complete(recovery, now)
        recovery.save(force_insert=True)
    logger.info(
        "recovery.started", extra={"recovery": recovery.pk, "webhook": webhook.pk, "total": total}
    )
    return recovery


def advance_all() -> int:
    """Advance running recoveries, in any order, for a slice of time; return by how many steps."""
    end = time.monotonic() + SLICE_SECONDS
    steps = 0
    for pk in list(_advanceable().order_by("?").values_list("pk", flat=True)):
        while advance(pk):
            steps += 1
            if time.monotonic() > end or shutdown.requested():
                return steps  # the sweep wakes a worker again
        if time.monotonic() > end:
            return steps  # somebody has locked rows that each of them waits for
    return steps


def _advanceable() -> QuerySet[Recovery]:
    """Return the running recoveries with at most a batch unfinished, or all queued and finished."""
    unfinished = _unfinished(OuterRef("pk"))
    return Recovery.objects.running().filter(
        ~Exists(unfinished) | Q(all_queued=False) & ~Exists(unfinished[BATCH : BATCH + 1])
    )


def _unfinished(recovery: Any) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        recovery=recovery,
        status__in=[Status.PENDING, Status.DELIVERING],
        trigger=Trigger.RECOVER,
    ).order_by()


def advance(recovery_id: UUID, *, now: datetime | None = None) -> bool:
    """Queue the next batch of a recovery, if at most one is unfinished.

    Returns:
        Whether there may be more to do at once.
    """
    try:
        with lock_limit.atomic(lock_seconds=LOCK_SECONDS):
            recovery = _advance(recovery_id, now or timezone.now())
    except lock_limit.Locked:
        logger.warning("recovery.locked", extra={"recovery": recovery_id})
        return False
    if recovery is None:
        return False
    if recovery.status == Recovery.Status.COMPLETED:
        logger.info(
            "recovery.completed",
            extra={
                "recovery": recovery.pk,
                "webhook": recovery.webhook_id,
                "queued": recovery.queued,
            },
        )
    return recovery.status == Recovery.Status.RUNNING


def _advance(recovery_id: UUID, now: datetime) -> Recovery | None:
    """Do what ``advance`` does; return the recovery if it has changed."""
    recovery = (
        Recovery.objects.running()
        .filter(pk=recovery_id)
        .select_for_update(skip_locked=True, no_key=True)
        .first()
    )
    if recovery is None:
        return None
    unfinished = _unfinished(recovery).count()
    if recovery.all_queued:
        if unfinished:
            return None
        _complete(recovery, now)
    elif unfinished > BATCH:
        return None
    else:
        _queue_batch(recovery, now)
    recovery.save()
    return recovery


def _complete(recovery: Recovery, now: datetime) -> None:
    recovery.status = Recovery.Status.COMPLETED
    recovery.all_queued = True
    recovery.completed_at = now


def progress(recovery: Recovery) -> dict[str, Any]:
    """Return the counts of a recovery's deliveries, and whether there may be more in all."""
    by_status = dict(recovery.deliveries.order_by().values_list("status").annotate(Count("pk")))
    return {
        # Counted when it started; others in the window may have failed since.
        "total": max(recovery.total, recovery.queued),
        "at_least": not recovery.all_queued and recovery.total >= COUNTED,
        "queued": recovery.queued,
        **{status: by_status.get(status, 0) for status in Status.values},
    }


def _queue_batch(recovery: Recovery, now: datetime) -> None:
    ids = _next_ids(recovery)
    if len(ids) < BATCH:
        recovery.all_queued = True
    if not ids:
        return
    recovery.last_id = ids[-1]
    # Conditional: a dispatcher, or a manual retry, may have been quicker.
    recovery.queued += (
        Delivery.objects.filter(reduce(or_, _UNSUCCESSFUL), pk__in=ids)
        .exclude(event__type=TEST)
        .update_in_order(
            status=Status.PENDING,
            trigger=Trigger.RECOVER,
            recovery=recovery,
            step=0,
            held_by="",
            next_attempt_at=now,
            finished_at=None,
        )
    )
    SEND.send()


def _next_ids(recovery: Recovery) -> list[UUID]:
    """Return the ids of the next batch, in order, with those of tests."""
    failed, held, retrying = unsuccessful(
        webhook_id=recovery.webhook_id, since=recovery.since, until=recovery.until
    )
    ids: list[UUID] = []
    # Twice, with those whose last retry has failed meanwhile: the next batch begins after them.
    for deliveries in (failed, held, retrying, failed):
        if recovery.last_id is not None:
            deliveries = deliveries.filter(pk__gt=recovery.last_id)
        if len(ids) == BATCH:
            deliveries = deliveries.filter(pk__lt=ids[-1])
        found = deliveries.order_by("id").values_list("pk", flat=True)[:BATCH]
        ids = sorted({*ids, *found})[:BATCH]
    return ids
