"""Accepts requests: one row each, which is all that acceptance costs."""

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
from pave.core.card_numbers.masking import without_card_numbers

logger = logging.getLogger(__name__)


def submit(*, client: Client, fields: dict[str, Any]) -> NormalizationRequest:
    """Accept a transaction: write one row, and wake admission.

    Args:
        client: The client that sends it.
        fields: Validated fields of the transaction, named as the model's.

    Raises:
        QuotaExceeded: The client's monthly quota is used up.
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
    # The one line with both the HTTP request's id and this request's own, which later lines have.
    logger.info("request.accepted", extra={"request": request.pk, "client": client.client_id})
    ADMIT.send()
    return request
