"""The webhooks that Pave sends about transactions, in the API's description."""

from typing import Any

from rest_framework import serializers

from merchants.api import examples
from merchants.api.representations import BatchDataSerializer, NormalizationDataSerializer
from merchants.requests import events
from webhooks.api.messages import MessageSerializer, message


class MerchantNameSerializer(serializers.Serializer):
    """The merchant, as in Pave's first version."""

    name = serializers.CharField()


class NormalizationMessageSerializer(MessageSerializer):
    """A message about a transaction."""

    merchant = MerchantNameSerializer(
        allow_null=True, help_text="As in Pave's first version; null where there is no answer."
    )
    request_id = serializers.UUIDField()
    data = NormalizationDataSerializer()  # type: ignore[assignment]  # DRF takes fields out of the class


class BatchMessageSerializer(MessageSerializer):
    """A message about a batch."""

    data = BatchDataSerializer()  # type: ignore[assignment]  # DRF takes fields out of the class


def _about_request(data: dict[str, Any]) -> dict[str, Any]:
    name = (data["merchant"] or {}).get("name")
    return {
        "timestamp": data["completed_at"],
        "merchant": {"name": name} if name else None,
        "request_id": data["request_id"],
        "data": data,
    }


_COMPLETED = _about_request(examples.NORMALIZATION_DATA)
_BATCH = {"timestamp": examples.BATCH_DATA["completed_at"], "data": examples.BATCH_DATA}
COMPLETED = message(
    events.COMPLETED, "A transaction was answered", NormalizationMessageSerializer, _COMPLETED
)
FAILED = message(
    events.FAILED,
    "A transaction could not be answered",
    NormalizationMessageSerializer,
    _about_request(examples.FAILED_DATA),
)
UPDATED = message(
    events.UPDATED,
    "A correction changed an earlier answer",
    NormalizationMessageSerializer,
    _COMPLETED,
)
BATCH_COMPLETED = message(
    events.BATCH_COMPLETED, "The last row of a batch is final", BatchMessageSerializer, _BATCH
)
BATCH_UPDATED = message(
    events.BATCH_UPDATED,
    "Corrections changed answers in a batch with one webhook",
    BatchMessageSerializer,
    {**_BATCH, "data": {**_BATCH["data"], "counts": {**_BATCH["data"]["counts"], "corrected": 1}}},
)
