"""Disabling and enabling: what waits for a disabled webhook is held until it expires."""

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import zip_longest
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from pave.clients.models import Client
from pave.core.database.along_index import just
from webhooks.endpoints import contact_mails
from webhooks.models import Delivery, DeliveryQuerySet, Recovery, Webhook, claim_queries
from webhooks.wakeups import SEND, SEND_MAILS

logger = logging.getLogger(__name__)

Status = Delivery.Status

# The orders of a webhook's indexes of what waits, and of what is held.
_BY_DUE = ("webhook_id", "next_attempt_at", "id")
_BY_STATUS = ("webhook_id", "status", "id")
# Deliveries updated in one statement; the sweep goes on with the others.
BATCH = 2000
# How long one sweep goes on with them, in seconds: others wait for it.
RECONCILE_SECONDS = 1.0


def disable(
    *,
    webhook_id: UUID,
    by: Webhook.DisabledBy,
    now: datetime | None = None,
    hold_at_once: bool = True,
) -> bool:
    """Stop sending to a webhook, end its recovery, and hold its waiting deliveries.

    A disabled webhook still gets deliveries that were requested since. If somebody disables it
    again, its recovery ends; not if it only goes on failing.

    Args:
        webhook_id: Which one.
        by: Who wants it.
        now: The present.
        hold_at_once: Whether to hold now. Otherwise the sweep does it within about a second, for a
            transaction that blocks others: many webhooks may have many waiting deliveries.

    Returns:
        Whether it was enabled before.
    """
    now = now or timezone.now()
    with transaction.atomic():
        existing = Webhook.objects.existing().select_related("client").filter(pk=webhook_id)
        # Also one that is disabled, so that nobody enables it meanwhile.
        webhook = existing.select_for_update(no_key=True, of=("self",)).first()
        if webhook is None:
            return False
        changed = webhook.enabled
        if not changed and by == Webhook.DisabledBy.FAILING:
            return False
        if changed:
            webhook.enabled, webhook.disabled_at = False, now
        if changed or by == Webhook.DisabledBy.STAFF:  # from now on only staff may enable it
            webhook.disabled_by = by
            if changed and by != Webhook.DisabledBy.CLIENT:
                contact_mails.add_change(
                    webhook,
                    f"disabled: {webhook.get_disabled_by_display()}. Its messages are held, each "
                    f"for {settings.PAVE_HELD_DAYS} days, and sent if it is enabled before",
                )
            webhook.save(
                update_fields=[
                    "enabled",
                    "disabled_by",
                    "disabled_at",
                    *contact_mails.CHANGE_FIELDS,
                ]
            )
        if not _end_recovery(webhook_id, now) and not changed:
            return False
        held = hold(webhook) if hold_at_once else 0
        if not changed:
            return False
        if by in Webhook.DISABLED_AUTOMATICALLY:
            SEND_MAILS.send()
        transaction.on_commit(lambda: _log(webhook, held))
    return True


class DisabledByStaff(Exception):
    """Only staff may enable the webhook; the message is a sentence for the client."""


def enable(*, webhook: Webhook, by_client: bool = False, now: datetime | None = None) -> int:
    """Send to a webhook again, and release what is held for it, oldest first.

    Its endpoint's health is reset.

    Args:
        webhook: The webhook; the row is read again under a lock.
        by_client: Whether its client requests it.
        now: The present.

    Raises:
        DisabledByStaff: The client requests it, and staff have disabled it.

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
        SEND.send()
    webhook.refresh_from_db()
    logger.info("webhook.enabled", extra={"webhook": webhook.pk, "released": released})
    return released


def hold(webhook: Webhook) -> int:
    """Hold waiting deliveries of a disabled webhook, except those requested since.

    Returns:
        How many.
    """
    waiting = Delivery.objects.waiting().filter(**just("webhook", webhook.pk))
    if webhook.disabled_at:
        # What is requested while it is disabled is sent all the same, except by a recovery that
        # ended with it: what that has queued may be due only later.
        of_ended_recovery = Q(
            trigger=Delivery.Trigger.RECOVER, recovery__status=Recovery.Status.CANCELED
        )
        waiting = waiting.exclude(
            ~of_ended_recovery,
            trigger__in=Delivery.ON_DEMAND,
            next_attempt_at__gt=webhook.disabled_at,
        )
    delivered = waiting.filter(resume_status=Status.SUCCEEDED).order_by(*_BY_DUE)
    _restore_delivered(_first_batch(delivered), timezone.now())
    undelivered = waiting.exclude(resume_status=Status.SUCCEEDED).order_by(*_BY_DUE)
    return _first_batch(undelivered).update_in_order(
        status=Status.HELD,
        held_by=webhook.disabled_by,
        trigger=Delivery.Trigger.AUTOMATIC,
        next_attempt_at=None,
        resume_status="",
        resume_at=None,
    )


def count_held(client: Client, *, most: int) -> int:
    """Return how many deliveries are held for a client's webhooks, of more than ``most`` that."""
    # As a list: their index begins with the webhook.
    webhooks = list(Webhook.objects.for_client(client).values_list("pk", flat=True))
    return Delivery.objects.held().filter(webhook__in=webhooks)[:most].count()


def release(webhook_id: UUID) -> int:
    """Make held deliveries of an enabled webhook due again, oldest first.

    They are due as of their creation, so they come before newer ones.

    Returns:
        How many; at most ``BATCH``.
    """
    held = Delivery.objects.held().filter(**just("webhook", webhook_id)).order_by(*_BY_STATUS)
    return _first_batch(held).update_in_order(
        status=Status.PENDING,
        held_by="",
        trigger=Delivery.Trigger.AUTOMATIC,
        next_attempt_at=F("created_at"),
    )


def reconcile(*, now: datetime) -> None:
    """Bring deliveries in line with their webhooks: hold, release, cancel.

    Disabling and enabling begin with a batch; this goes on with it, for ``RECONCILE_SECONDS`` at
    a time, clients in turn. An event may also be published while its webhook changes, by a
    process that still sees the old state.
    """
    end = time.monotonic() + RECONCILE_SECONDS
    waiting = Webhook.objects.filter(pk__in=claim_queries.webhooks_having(claim_queries.PENDING))
    held = Webhook.objects.filter(
        pk__in=claim_queries.webhooks_having(claim_queries.HELD, order="webhook_id, status, id")
    )
    deleted = {*waiting.exclude(deleted_at=None), *held.exclude(deleted_at=None)}
    changes: list[tuple[int, Callable[[], object]]] = [
        *(
            (webhook.client_id, partial(hold, webhook))
            for webhook in waiting.existing().filter(enabled=False)
        ),
        *(
            (webhook.client_id, partial(_release_and_send, webhook.pk))
            for webhook in held.existing().filter(enabled=True)
        ),
        *((webhook.client_id, partial(cancel_unsent, webhook.pk, now=now)) for webhook in deleted),
    ]
    for change in _by_clients_in_turn(changes):
        change()
        if time.monotonic() > end:
            return


def _by_clients_in_turn(
    changes: Sequence[tuple[int, Callable[[], object]]],
) -> Iterator[Callable[[], object]]:
    """Yield one change of each client, then a second of each, and so on, in any order."""
    of_client: dict[int, list[Callable[[], object]]] = {}
    for client_id, change in random.sample(changes, len(changes)):
        of_client.setdefault(client_id, []).append(change)
    clients = random.sample(list(of_client.values()), len(of_client))
    for round_of_changes in zip_longest(*clients):
        yield from filter(None, round_of_changes)


def _release_and_send(webhook_id: UUID) -> None:
    if release(webhook_id):
        SEND.send()


def cancel_unsent(webhook_id: UUID, *, now: datetime) -> int:
    """Cancel what still waits for a deleted webhook; return how many, a batch at most."""
    # The recovery is locked before its deliveries, as everywhere.
    _end_recovery(webhook_id, now)
    deliveries = Delivery.objects.filter(**just("webhook", webhook_id))
    return sum(
        cancel(_first_batch(unsent), now=now)
        for unsent in (
            deliveries.waiting().order_by(*_BY_DUE),
            deliveries.held().order_by(*_BY_STATUS),
        )
    )


def cancel(deliveries: DeliveryQuerySet, *, now: datetime) -> int:
    """Cancel those of the deliveries that wait or are held; return how many.

    One that had been delivered, and was to be sent again, counts as delivered again instead.
    """
    restored = _restore_delivered(deliveries, now)
    # What is retried between the two was delivered.
    unsent = deliveries.filter(status__in=[Status.PENDING, Status.HELD]).exclude(
        resume_status=Status.SUCCEEDED
    )
    return restored + unsent.update_in_order(
        status=Status.CANCELED,
        held_by="",
        next_attempt_at=None,
        resume_status="",
        resume_at=None,
        finished_at=now,
    )


def _restore_delivered(deliveries: DeliveryQuerySet, now: datetime) -> int:
    delivered = deliveries.waiting().filter(resume_status=Status.SUCCEEDED)
    return delivered.update_in_order(
        status=Status.SUCCEEDED,
        next_attempt_at=None,
        resume_status="",
        resume_at=None,
        finished_at=now,
    )


def _end_recovery(webhook_id: UUID, now: datetime) -> int:
    """End the running recovery of a webhook; return how many there were."""
    recoveries = Recovery.objects.running().filter(webhook=webhook_id).order_by()
    return recoveries.update(status=Recovery.Status.CANCELED, completed_at=now)


def _first_batch(deliveries: DeliveryQuerySet) -> DeliveryQuerySet:
    """Select those that come first now, as far as they fulfil the same conditions then."""
    first = list(deliveries.values_list("pk", flat=True)[:BATCH])
    return deliveries.order_by().filter(pk__in=first)


def _log(webhook: Webhook, held: int) -> None:
    logger.warning(
        "webhook.disabled",
        extra={
            "webhook": webhook.pk,
            "client": webhook.client.client_id,
            "by": webhook.disabled_by,
            "held": held,
        },
    )
