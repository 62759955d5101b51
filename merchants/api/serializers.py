"""What clients send: transactions, corrections, filters of lists."""

from typing import Any

from rest_framework import serializers

from merchants.models import NormalizationRequest
from pave.api.fields import (
    AmountField,
    DateField,
    TextField,
    country_field,
    currency_field,
    mcc_field,
)
from pave.api.query_params import CreatedQuery, IdField, OneOfField, PageQuery
from pave.core.card_masking import CARD_REFUSED, holds_card_number, masked_value

DESCRIPTION_LENGTH = 500
CITY_LENGTH = 100
REFERENCE_LENGTH = 255
METADATA_PAIRS = 16
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500


class MetadataField(serializers.DictField):
    """Pairs of the client's own; none is as good as nothing.

    They are stored with the card numbers in them masked, so keys must differ by more than these.
    """

    child = TextField(allow_blank=True, max_length=METADATA_VALUE_LENGTH)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the pairs.

        Raises:
            ValidationError: They are too many, a key or value is not a text that may be kept, or
                keys are the same once they are masked.
        """
        if isinstance(data, dict) and len(data) > METADATA_PAIRS:
            raise serializers.ValidationError(f"Has more than {METADATA_PAIRS} pairs.")
        pairs = super().to_internal_value(data)
        key = TextField(max_length=METADATA_KEY_LENGTH)
        errors = {}
        for name in pairs:
            try:
                key.run_validation(name)
            except serializers.ValidationError as error:
                errors[name] = [f"As a key: {text}" for text in error.detail]
        stored: set[str] = set()
        for name in pairs:
            if (kept := masked_value(name)) in stored:
                errors[name] = ["As a key: masked like a card number, it is the same as another."]
            stored.add(kept)
        if errors:
            raise serializers.ValidationError(errors)
        return pairs


class ReferenceField(TextField):
    """A client's own id, which comes back as it was sent: a card number in it is not masked."""

    default_error_messages = {"card_number": f"{CARD_REFUSED} Send an id of your own."}

    def to_internal_value(self, data: str) -> str:
        """Return the id, or refuse it."""
        reference: str = super().to_internal_value(data)
        if holds_card_number(reference):
            self.fail("card_number")
        return reference


class SeedTransactionSerializer(serializers.Serializer):
    """The body of the seed's route."""

    description = TextField(max_length=DESCRIPTION_LENGTH)
    amount = AmountField(required=False, allow_null=True)
    date = DateField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the model's fields: what is null was not given, nor are no pairs."""
        return {name: value for name, value in attrs.items() if value not in (None, {})}


class TransactionSerializer(SeedTransactionSerializer):
    """The body of ``POST /v1/normalizations``."""

    currency = currency_field(required=False, allow_null=True, allow_blank=False)
    mcc = mcc_field(required=False, allow_null=True, allow_blank=False)
    country = country_field(required=False, allow_null=True, allow_blank=False)
    city = TextField(required=False, allow_null=True, allow_blank=True, max_length=CITY_LENGTH)
    reference = ReferenceField(
        required=False, allow_null=True, allow_blank=True, max_length=REFERENCE_LENGTH
    )
    metadata = MetadataField(required=False, allow_null=True)


class FeedbackSerializer(serializers.Serializer):
    """The body of ``POST /v1/normalizations/{request_id}/feedback``."""

    merchant = TextField(max_length=200)
    comment = TextField(required=False, allow_null=True, allow_blank=True, max_length=1000)


class NormalizationQuery(CreatedQuery):
    """Filters of ``GET /v1/normalizations``."""

    status = OneOfField(words=NormalizationRequest.Status.values, required=False)
    reference = TextField(required=False, max_length=REFERENCE_LENGTH)
    batch = IdField(required=False)


class MerchantQuery(PageQuery):
    """Filters of ``GET /v1/merchants``."""

    search = TextField(required=False, max_length=200)


class BatchQuery(serializers.Serializer):
    """Parameters of ``POST /v1/batches``."""

    deliver = OneOfField(words=["each", "batch"], required=False)
