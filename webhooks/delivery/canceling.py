"""Canceling a delivery by hand."""

import logging
from uuid import UUID

from django.utils import timezone

from webhooks.delivery.manual import InvalidState
from webhooks.models import Delivery

logger = logging.getLogger(__name__)

Status = Delivery.Status


def cancel(*, delivery_id: UUID) -> None:
    """Cancel a delivery that has an attempt to come, or is held.

    Raises:
        InvalidState: It is in flight at this moment, or final.
    """
    canceled = Delivery.objects.filter(
        pk=delivery_id, status__in=[Status.PENDING, Status.HELD]
    ).update(
        status=Status.CANCELED,
        held_by="",
        next_attempt_at=None,
        resume_status="",
        resume_at=None,
        finished_at=timezone.now(),
    )
    if not canceled:
        status = Delivery.objects.values_list("status", flat=True).get(pk=delivery_id)
        raise InvalidState(
            f"This delivery is {status}; only one that waits or is held can be canceled."
        )
    logger.info("delivery.canceled_by_hand", extra={"delivery": delivery_id})
