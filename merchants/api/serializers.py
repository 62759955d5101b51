"""Serializers of what clients send: transactions, corrections, filters of lists."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from merchants.api import examples
from merchants.models import Batch, NormalizationRequest
from merchants.requests.batches import MAX_ROWS
from pave.api.fields import (
    ANY_TEXT,
    NOT_AN_OBJECT,
    AmountField,
    DateField,
    DescribedField,
    TextField,
    country_field,
    currency_field,
    mcc_field,
)
from pave.api.query_params import CreatedQuery, IdField, OneOfField, PageQuery
from pave.core.card_numbers.masking import CARD_REFUSED, holds_card_number, masked_value

DESCRIPTION_LENGTH = 500
CITY_LENGTH = 100
REFERENCE_LENGTH = 255
METADATA_PAIRS = 16
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500


class MetadataField(DescribedField, serializers.DictField):
    """The client's own pairs; an empty object counts as none.

    Card numbers in them are masked, and the keys must still differ then.
    """

    child = TextField(allow_blank=True, max_length=METADATA_VALUE_LENGTH)
    described = {
        "type": "object",
        "additionalProperties": child.described,
        "propertyNames": {"minLength": 1, "maxLength": METADATA_KEY_LENGTH, "pattern": ANY_TEXT},
        "maxProperties": METADATA_PAIRS,
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the pairs.

        Raises:
            ValidationError: There are too many, a key or value is no valid text, or keys are equal
                once they are masked.
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
        for name in [name for name in pairs if name not in errors]:  # a long one would take long
            if (kept := masked_value(name)) in stored:
                errors[name] = ["As a key: masked like a card number, it is the same as another."]
            stored.add(kept)
        if errors:
            raise serializers.ValidationError(errors)
        return pairs


class ReferenceField(TextField):
    """A client's own id, which is returned unchanged, so one with a card number is refused."""

    default_error_messages = {"card_number": f"{CARD_REFUSED} Send an id of your own."}

    def to_internal_value(self, data: str) -> str:
        """Return the id, or refuse it."""
        reference: str = super().to_internal_value(data)
        # One that is too long is refused in any case, and would be searched for long.
        if len(reference) <= REFERENCE_LENGTH and holds_card_number(reference):
            self.fail("card_number")
        return reference


@extend_schema_serializer(examples=[OpenApiExample("Transaction", examples.SEED_TRANSACTION)])
class SeedTransactionSerializer(serializers.Serializer):
    """A transaction, as Pave's first version takes it."""

    default_error_messages = NOT_AN_OBJECT

    description = TextField(
        max_length=DESCRIPTION_LENGTH, help_text="The descriptor, as on the card statement."
    )
    amount = AmountField(
        required=False,
        allow_null=True,
        help_text="A decimal number, best as a string: it is returned in the digits in which it "
        "was sent. Of a JSON number at most 8 decimals are kept.",
    )
    date = DateField(required=False, allow_null=True, help_text="The day of the transaction.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the model's fields, without null members and empty metadata."""
        return {name: value for name, value in attrs.items() if value not in (None, {})}


@extend_schema_serializer(examples=[OpenApiExample("Transaction", examples.TRANSACTION)])
class TransactionSerializer(SeedTransactionSerializer):
    """A transaction."""

    currency = currency_field(
        required=False, allow_null=True, allow_blank=False, help_text="ISO 4217."
    )
    mcc = mcc_field(required=False, allow_null=True, allow_blank=False, help_text="ISO 18245.")
    country = country_field(
        required=False, allow_null=True, allow_blank=False, help_text="ISO 3166-1 alpha-2."
    )
    city = TextField(required=False, allow_null=True, allow_blank=True, max_length=CITY_LENGTH)
    reference = ReferenceField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=REFERENCE_LENGTH,
        help_text="Your own id for it; no card number.",
    )
    metadata = MetadataField(
        required=False,
        allow_null=True,
        help_text="Your own pairs, returned with it and never interpreted.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Correction", {"merchant": "Blue Bottle Coffee", "comment": "The one in Oakland."}
        )
    ]
)
class FeedbackSerializer(serializers.Serializer):
    """A correction of an answer."""

    default_error_messages = NOT_AN_OBJECT

    merchant = TextField(max_length=200, help_text="The right name.")
    comment = TextField(required=False, allow_null=True, allow_blank=True, max_length=1000)


class NormalizationQuery(CreatedQuery):
    """Filters of ``GET /v1/normalizations``."""

    status = OneOfField(
        words=NormalizationRequest.Status.values, component="NormalizationStatus", required=False
    )
    reference = TextField(required=False, max_length=REFERENCE_LENGTH, help_text="Your own id.")
    batch = IdField(required=False, help_text="Only rows of this batch.")


class MerchantQuery(PageQuery):
    """Filters of ``GET /v1/merchants``."""

    search = TextField(
        required=False,
        max_length=200,
        help_text="Part of a name, another spelling, or a website.",
    )


class BatchQuery(serializers.Serializer):
    """Parameters of ``POST /v1/batches``."""

    deliver = OneOfField(
        words=Batch.Deliver.values,
        component="Deliver",
        required=False,
        help_text="Whether each row gets a webhook, or the batch alone (the default). In JSON it "
        "may also be a member of the body.",
    )


@extend_schema_serializer(
    examples=[OpenApiExample("Batch", {"transactions": [examples.TRANSACTION], "deliver": "batch"})]
)
class NewBatchSerializer(BatchQuery):
    """A batch in JSON."""  # for the description only: a body is read as a stream

    transactions = serializers.ListField(
        child=TransactionSerializer(), min_length=1, max_length=MAX_ROWS
    )
