"""Disabling and enabling: what waits for a disabled webhook is held, and none of it is lost."""

import logging
import random
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from pave.core.along_index import just
from webhooks.endpoints import subscriptions
from webhooks.models import Delivery, DeliveryQuerySet, Recovery, Webhook, claim_queries
from webhooks.wakeups import SEND, TELL_STAFF

logger = logging.getLogger(__name__)

Status = Delivery.Status

# The orders of a webhook's indexes of what waits, and of what is held.
_BY_DUE = ("webhook_id", "next_attempt_at", "id")
_BY_STATUS = ("webhook_id", "status", "id")
# Deliveries that change hands in one statement; the sweep goes on with the others.
BATCH = 2000
# How long one sweep goes on with them, in seconds: others wait for it.
SETTLE_SECONDS = 1.0


def disable(
    *,
    webhook_id: UUID,
    by: Webhook.DisabledBy,
    now: datetime | None = None,
    hold_at_once: bool = True,
) -> bool:
    """Stop sending to a webhook, end its recovery, and hold its waiting deliveries.

    A disabled one still gets what somebody has asked for since; if its endpoint then says again
    that it wants nothing, that ends too.

    Args:
        webhook_id: Which one.
        by: Who wants it.
        now: The present.
        hold_at_once: Else the sweep holds, within a second or so: for a transaction that others
            wait for, since there may be many webhooks with much that waits.

    Returns:
        Whether it was enabled before.
    """
    now = now or timezone.now()
    with transaction.atomic():
        existing = Webhook.objects.existing().filter(pk=webhook_id)
        changed = existing.filter(enabled=True).update(
            enabled=False, disabled_by=by, disabled_at=now
        )
        if not changed and by not in Webhook.BY_ENDPOINT:
            return False
        if not _end_recovery(webhook_id, now) and not changed:
            return False
        webhook = Webhook.objects.select_related("client").get(pk=webhook_id)
        held = hold(webhook) if hold_at_once else 0
        if not changed:
            return False
        subscriptions.forget(webhook.client_id)
        if by in Webhook.BY_THEMSELVES:
            TELL_STAFF.send()
        transaction.on_commit(lambda: _log(webhook, held))
    return True


class DisabledByStaff(Exception):
    """Only staff may enable the webhook; the message is a sentence for the client."""


def enable(*, webhook: Webhook, by_client: bool = False, now: datetime | None = None) -> int:
    """Send to a webhook again, and release what is held for it, oldest first.

    It begins with a clean slate: what its endpoint did before it was disabled is forgotten.

    Args:
        webhook: The one, as it may have been a while ago.
        by_client: Whether its client asks for it.
        now: The present.

    Raises:
        DisabledByStaff: The client asks, and staff have disabled it.

    Returns:
        How many deliveries were released by now; the sweep releases the others.
    """
    now = now or timezone.now()
    with transaction.atomic():
        disabled = Webhook.objects.existing().filter(pk=webhook.pk, enabled=False)
        locked = disabled.select_for_update(no_key=True).first()
        if locked is None:
            return 0
        if by_client and locked.disabled_by == Webhook.DisabledBy.STAFF:
            raise DisabledByStaff("Our staff disabled this webhook; please ask them to enable it.")
        disabled.update(
            enabled=True,
            disabled_by="",
            disabled_at=None,
            failing_since=None,
            breaker_failures=0,
            breaker_failed_at=None,
            breaker_opened_at=None,
            paused_until=None,
        )
        released = release(webhook.pk)
        subscriptions.forget(webhook.client_id)
        SEND.send()
    webhook.refresh_from_db()
    logger.info("webhook.enabled webhook=%s released=%s", webhook.pk, released)
    return released


def hold(webhook: Webhook) -> int:
    """Hold waiting deliveries of a disabled webhook, but for those that were asked for since.

    Returns:
        How many.
    """
    waiting = Delivery.objects.waiting().filter(**just("webhook", webhook.pk))
    if webhook.disabled_at:
        # What somebody asks for while it is disabled is sent all the same. (A recovery that ended
        # with it asks no more; what it has put on its way may be due only later.)
        of_ended_recovery = Q(
            trigger=Delivery.Trigger.RECOVER, recovery__status=Recovery.Status.CANCELED
        )
        waiting = waiting.exclude(
            ~of_ended_recovery,
            trigger__in=Delivery.ASKED_FOR,
            next_attempt_at__gt=webhook.disabled_at,
        )
    # What had arrived before somebody sent it again has.
    arrived = waiting.filter(resume_status=Status.SUCCEEDED).order_by(*_BY_DUE)
    Delivery.objects.waiting().filter(pk__in=_some(arrived)).update_in_order(
        status=Status.SUCCEEDED, next_attempt_at=None, resume_status="", resume_at=None
    )
    return Delivery.objects.filter(
        pk__in=_some(waiting.order_by(*_BY_DUE)), status=Status.PENDING
    ).update_in_order(
        status=Status.HELD,
        held_by=webhook.disabled_by,
        trigger=Delivery.Trigger.AUTOMATIC,
        next_attempt_at=None,
        resume_status="",
        resume_at=None,
    )


def release(webhook_id: UUID) -> int:
    """Put held deliveries of an enabled webhook on their way, oldest first.

    They are due since they were made, so they come before what was made later.

    Returns:
        How many; at most ``BATCH``.
    """
    held = Delivery.objects.held().filter(**just("webhook", webhook_id)).order_by(*_BY_STATUS)
    return (
        Delivery.objects.held()
        .filter(pk__in=_some(held))
        .update_in_order(
            status=Status.PENDING,
            held_by="",
            trigger=Delivery.Trigger.AUTOMATIC,
            next_attempt_at=F("created_at"),
        )
    )


def settle(*, now: datetime) -> None:
    """Bring deliveries in line with their webhooks: hold, release, cancel.

    Disabling and enabling begin with a batch; this goes on with it, for ``SETTLE_SECONDS`` at a
    time and webhooks in any order. And an event may be published in the very moment in which its
    webhook changes, by a process that has not seen it yet.
    """
    end = time.monotonic() + SETTLE_SECONDS
    waiting = Webhook.objects.filter(pk__in=claim_queries.webhooks_having(claim_queries.PENDING))
    held = Webhook.objects.filter(
        pk__in=claim_queries.webhooks_having(claim_queries.HELD, order="webhook_id, status, id")
    )
    deleted = [*waiting.exclude(deleted_at=None), *held.exclude(deleted_at=None)]
    changes: list[Callable[[], object]] = [
        *(partial(hold, webhook) for webhook in waiting.existing().filter(enabled=False)),
        *(partial(_release_and_send, one.pk) for one in held.existing().filter(enabled=True)),
        *(partial(cancel, pk, now=now) for pk in {webhook.pk for webhook in deleted}),
    ]
    random.shuffle(changes)
    for change in changes:
        change()
        if time.monotonic() > end:
            return


def _release_and_send(webhook_id: UUID) -> None:
    if release(webhook_id):
        SEND.send()


def cancel(webhook_id: UUID, *, now: datetime) -> int:
    """Cancel what still waits for a deleted webhook; return how many, a batch at most."""
    # Before its deliveries, as it does itself.
    _end_recovery(webhook_id, now)
    deliveries = Delivery.objects.filter(**just("webhook", webhook_id))
    unsent = _some(deliveries.waiting().order_by(*_BY_DUE))
    unsent += _some(deliveries.held().order_by(*_BY_STATUS))
    return Delivery.objects.filter(
        pk__in=unsent,
        status__in=[Status.PENDING, Status.HELD],
    ).update_in_order(status=Status.CANCELED, next_attempt_at=None, finished_at=now)


def _end_recovery(webhook_id: UUID, now: datetime) -> int:
    """End the running recovery of a webhook; return how many there were."""
    running = Recovery.objects.running().filter(webhook=webhook_id).order_by()
    return running.update(status=Recovery.Status.CANCELED, completed_at=now)


def _some(deliveries: DeliveryQuerySet) -> list[UUID]:
    return list(deliveries.values_list("pk", flat=True)[:BATCH])


def _log(webhook: Webhook, held: int) -> None:
    logger.warning(
        "webhook.disabled webhook=%s client=%s by=%s held=%s",
        webhook.pk,
        webhook.client.client_id,
        webhook.disabled_by,
        held,
    )
