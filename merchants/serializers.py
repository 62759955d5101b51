"""The normalization object and what a client sends for it."""

from typing import Any

from rest_framework import serializers

from merchants.events import as_text, describe
from merchants.models import NormalizationRequest
from pave.api.fields import (
    AmountField,
    DateField,
    TextField,
    country_field,
    currency_field,
    mcc_field,
)
from webhooks.models import Delivery

DESCRIPTION_LENGTH = 500


class SeedTransactionSerializer(serializers.Serializer):
    """The body of the seed's route."""

    description = TextField(max_length=DESCRIPTION_LENGTH)
    amount = AmountField(required=False, allow_null=True)
    date = DateField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the model's fields: what is null was not given."""
        return {name: value for name, value in attrs.items() if value is not None}


class TransactionSerializer(SeedTransactionSerializer):
    """The body of ``POST /v1/normalizations``."""

    currency = currency_field(required=False, allow_null=True, allow_blank=False)
    mcc = mcc_field(required=False, allow_null=True, allow_blank=False)
    country = country_field(required=False, allow_null=True, allow_blank=False)
    city = TextField(required=False, allow_null=True, allow_blank=True, max_length=100)
    reference = TextField(required=False, allow_null=True, allow_blank=True, max_length=255)


def normalization_object(request: NormalizationRequest) -> dict[str, Any]:
    """Return a normalization as the API gives it, with its deliveries.

    Costs one query where the request's resolution is loaded.
    """
    deliveries = Delivery.objects.filter(event__subject_id=request.pk).order_by("id")
    return {
        **describe(request, request.resolution),
        "deliveries": [
            {
                "id": str(delivery.pk),
                "webhook": str(delivery.webhook_id),
                "status": delivery.status,
                "attempts": delivery.attempts,
                "next_attempt_at": as_text(delivery.next_attempt_at),
            }
            for delivery in deliveries
        ],
    }
