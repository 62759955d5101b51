"""Retrying a delivery by hand."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

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
        InvalidState: it is in flight at this moment, or was canceled.
    """
    now = now or timezone.now()
    with transaction.atomic():
        retried = (
            Delivery.objects.filter(pk=delivery_id, status__in=_RETRIABLE, webhook__deleted_at=None)
            .exclude(status=Status.PENDING, trigger=Trigger.MANUAL)
            .update(
                status=Status.PENDING,
                resume_status=F("status"),
                resume_at=F("next_attempt_at"),
                trigger=Trigger.MANUAL,
                next_attempt_at=now,
            )
        )
        delivery = Delivery.objects.get(pk=delivery_id)
        if not retried and delivery.status != Status.PENDING:
            raise InvalidState(_reason(delivery))
        SEND.send()
    if retried:
        logger.info(
            "delivery.retried_by_hand",
            extra={"delivery": delivery.pk, "was": delivery.resume_status},
        )


def _reason(delivery: Delivery) -> str:
    if delivery.status == Status.DELIVERING:
        return "This delivery is under way at this moment; wait for what comes of it."
    return "This delivery was canceled, since its webhook was deleted."
