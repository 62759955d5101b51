"""Requests are taken: one row each, which is all that acceptance costs."""

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone

from merchants.models import (
    NormalizationRequest,
)
from merchants.requests import usage
from merchants.wakeups import ADMIT
from pave.clients.models import Client
from pave.core.card_masking import without_card_numbers

logger = logging.getLogger(__name__)
Status = NormalizationRequest.Status


def submit(*, client: Client, fields: dict[str, Any]) -> NormalizationRequest:
    """Take a transaction: one row, which is all that acceptance costs, and a wake-up.

    Args:
        client: Who asks.
        fields: Validated fields of the transaction, named as the model's.

    Raises:
        QuotaExceeded: The client has sent as many this month as it may.
    """
    request = NormalizationRequest(
        client=client, created_at=timezone.now(), **without_card_numbers(fields)
    )
    if client.monthly_quota is None:
        request.save(force_insert=True)
    else:
        with transaction.atomic():
            usage.charge(client, 1, now=request.created_at)
            request.save(force_insert=True)
    # The one line that ties the HTTP request's id to this request's own, which later lines bear.
    logger.info("request.accepted", extra={"request": request.pk, "client": client.client_id})
    ADMIT.send()
    return request
