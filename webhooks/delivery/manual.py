"""Retrying and canceling a delivery manually."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from webhooks.endpoints import enabling
from webhooks.models import Delivery
from webhooks.wakeups import SEND

logger = logging.getLogger(__name__)

Status = Delivery.Status
Trigger = Delivery.Trigger

_RETRIABLE = (Status.PENDING, Status.FAILED, Status.HELD, Status.SUCCEEDED)


class InvalidState(Exception):
    """The delivery's status does not allow it; the message is a sentence for the client."""


def retry(*, delivery_id: UUID, now: datetime | None = None) -> None:
    """Have a delivery attempted as soon as its webhook has capacity, whatever its schedule.

    There is one attempt at a time: this one replaces the next automatic one. If it succeeds, that
    is canceled; if it fails, the schedule goes on. It is sent to a disabled or paused webhook too.
    Retrying twice is the same as once.

    Raises:
        InvalidState: It is in flight at this moment, was canceled, or its webhook was deleted; or
            it has expired.
    """
    now = now or timezone.now()
    with transaction.atomic():
        retried = (
            Delivery.objects.filter(pk=delivery_id, status__in=_RETRIABLE, webhook__deleted_at=None)
            .exclude(status=Status.PENDING, trigger=Trigger.MANUAL)
            # An UPDATE over two tables would not look again at a row that it had to wait for.
            .update_in_order(
                status=Status.PENDING,
                resume_status=F("status"),
                resume_at=F("next_attempt_at"),
                trigger=Trigger.MANUAL,
                next_attempt_at=now,
                finished_at=None,
            )
        )
        delivery = _still_there(delivery_id)
        if not retried and (delivery.status != Status.PENDING or delivery.webhook.deleted_at):
            raise InvalidState(_reason(delivery))
        SEND.send()
    if retried:
        logger.info(
            "delivery.retried_manually",
            extra={"delivery": delivery.pk, "was": delivery.resume_status},
        )


def _still_there(delivery_id: UUID) -> Delivery:
    delivery = Delivery.objects.filter(pk=delivery_id).first()
    if delivery is None:
        raise InvalidState("This delivery has expired.")
    return delivery


def _reason(delivery: Delivery) -> str:
    if delivery.status == Status.CANCELED:
        return "This delivery was canceled, and is not sent any more."
    if delivery.webhook.deleted_at:
        return "The webhook of this delivery was deleted."
    return "This delivery is in flight; wait for its outcome."


def cancel(*, delivery_id: UUID) -> None:
    """Cancel a delivery that has an attempt to come, or is held.

    Raises:
        InvalidState: It is in flight at this moment, or final, or has expired.
    """
    if not enabling.cancel(Delivery.objects.filter(pk=delivery_id), now=timezone.now()):
        delivery = _still_there(delivery_id)
        raise InvalidState(
            f"This delivery is {delivery.status}; only one that waits or is held can be canceled."
        )
    logger.info("delivery.canceled_manually", extra={"delivery": delivery_id})
