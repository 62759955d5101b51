"""Objects in the API's responses and, without deliveries, in webhooks.

The serializers describe them. For long lists, functions create them in a tenth of the time;
tests/api/test_representations.py checks that both agree.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Window
from django.db.models.functions import RowNumber
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from merchants.api import examples
from merchants.api.serializers import TransactionSerializer
from merchants.matching.booking.channel import CHANNELS
from merchants.matching.booking.counterparties import TYPES
from merchants.matching.booking.kind import KINDS
from merchants.matching.categories import all_categories, member, of_merchant
from merchants.models import Batch, Feedback, Merchant, NormalizationRequest, Resolution
from merchants.requests.batches import MAX_ERRORS
from merchants.requests.events import describe, describe_batch
from pave.api.fields import ShownTextField, TimestampField
from pave.core.time_text import time_text
from webhooks.models import Delivery

DeliveryObjects = list[dict[str, Any]]

# Of each object: with a hundred webhooks, and a message to each about every correction, a page of
# a list would be tens of megabytes.
SHOWN_DELIVERIES = 200
LISTED_DELIVERIES = 5
_OF_DELIVERIES = (
    f"The webhooks about it and their state: the latest {SHOWN_DELIVERIES}, in a list the latest "
    f"{LISTED_DELIVERIES}."
)


class CountField(serializers.IntegerField):
    """How many there are."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, **kwargs)


class SentTransactionSerializer(serializers.Serializer):
    """The transaction as it was sent; null where a member was not."""

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return a text for each member that can be sent."""
        sent = dict.fromkeys(TransactionSerializer().get_fields())
        del sent["metadata"]  # is beside the transaction
        fields: dict[str, serializers.Field] = {
            name: ShownTextField(allow_null=True) for name in sent
        }
        return fields | {"description": serializers.CharField()}


class MerchantCategorySerializer(serializers.Serializer):
    """A category of the list that `GET /v1/categories` answers."""

    primary = ShownTextField(
        words=dict.fromkeys(category.primary for category in all_categories()),
        help_text="What it sells, roughly. Words may be added: treat one that is new to you as "
        "none.",
    )
    detailed = ShownTextField(
        words=[category.detailed for category in all_categories()],
        help_text="What it sells. Words may be added: fall back on `primary` for one that is new "
        "to you.",
    )


@extend_schema_serializer(examples=[OpenApiExample("Fast food", examples.CATEGORY)])
class CategorySerializer(MerchantCategorySerializer):
    """A category of the published list."""

    title = serializers.CharField(help_text="Its name for display.")
    mccs = serializers.ListField(
        child=serializers.CharField(), help_text="The MCCs (ISO 18245) that mean it."
    )
    plaid = serializers.CharField(
        help_text="The nearest detailed category of Plaid's personal finance categories."
    )


class MerchantSummarySerializer(serializers.Serializer):
    """Who it was."""

    id = serializers.UUIDField(
        allow_null=True, help_text="Its id in the catalogue; null if it is not in it."
    )
    name = serializers.CharField(help_text='The merchant\'s name; "n/a" if the text names none.')
    website = ShownTextField(allow_null=True, format="uri")
    wikidata = ShownTextField(allow_null=True, help_text="Its item in Wikidata.")
    mcc = ShownTextField(allow_null=True, help_text="Its merchant category code.")
    category = MerchantCategorySerializer(allow_null=True)
    logo_url = ShownTextField(allow_null=True, format="uri")


class MerchantSerializer(MerchantSummarySerializer):
    """A merchant of the catalogue."""

    mccs = serializers.ListField(child=serializers.CharField())
    countries = serializers.ListField(
        child=serializers.CharField(), help_text="Where it trades; empty for anywhere."
    )
    merged_into = serializers.UUIDField(
        allow_null=True, help_text="The merchant that has replaced this one."
    )
    aliases = serializers.ListField(
        child=serializers.CharField(), help_text="Its other spellings in descriptors."
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the fields; a merchant of the catalogue always has an id."""
        return super().get_fields() | {"id": serializers.UUIDField()}


class MatchSerializer(serializers.Serializer):
    """How the merchant was found, and how sure that is."""

    method = ShownTextField(words=Resolution.Method.values, help_text="How it was found.")
    confidence = serializers.FloatField(
        min_value=0, max_value=1, help_text="The share of such answers that are right."
    )
    descriptor = serializers.CharField(help_text="The cleaned descriptor.")
    intermediary = ShownTextField(
        allow_null=True, help_text="The processor in between, such as Square or PayPal."
    )
    rule = ShownTextField(allow_null=True, help_text="The rule that decided the answer.")
    ruleset = serializers.IntegerField(
        help_text="The version of the rules and the catalogue: the newest when this was answered."
    )


class LocationSerializer(serializers.Serializer):
    """The location that the text names, as printed."""

    city = ShownTextField(allow_null=True)
    region = ShownTextField(allow_null=True, help_text="The part of ISO 3166-2 after the country.")
    country = ShownTextField(allow_null=True, help_text="ISO 3166-1 alpha-2.")
    postal_code = ShownTextField(allow_null=True)
    address = ShownTextField(allow_null=True)
    store_number = ShownTextField(allow_null=True)
    phone = ShownTextField(allow_null=True)


class CounterpartySerializer(serializers.Serializer):
    """One who took part."""

    type = ShownTextField(words=("merchant", *TYPES))
    name = ShownTextField(allow_null=True, help_text="Null for a person.")
    id = serializers.UUIDField(
        allow_null=True, help_text="The merchant's id, if it is in the catalogue."
    )


class NormalizationDataSerializer(serializers.Serializer):
    """A normalization, as webhooks have it."""

    request_id = serializers.UUIDField()
    status = ShownTextField(words=NormalizationRequest.Status.values)
    created_at = TimestampField()
    completed_at = TimestampField(allow_null=True, help_text="When it became final.")
    transaction = SentTransactionSerializer()
    metadata = serializers.DictField(
        child=serializers.CharField(),
        help_text="As it was sent, except that card numbers are masked.",
    )
    merchant = MerchantSummarySerializer(allow_null=True, help_text="Null until it is completed.")
    match = MatchSerializer(allow_null=True)
    location = LocationSerializer(allow_null=True)
    kind = ShownTextField(
        allow_null=True,
        words=KINDS,
        help_text="What kind of transaction it is, with or without a merchant.",
    )
    channel = ShownTextField(
        allow_null=True, words=CHANNELS, help_text="Where the purchase was made."
    )
    counterparties = CounterpartySerializer(
        many=True,
        allow_null=True,
        help_text="Who took part, each once: the merchant (as `marketplace` if somebody else "
        "sold there), and others that the text names.",
    )
    error = ShownTextField(allow_null=True, help_text="Why it failed.")
    batch = serializers.UUIDField(allow_null=True, help_text="Its batch.")


class DeliverySummarySerializer(serializers.Serializer):
    """The state of one webhook about it."""

    id = serializers.UUIDField()
    webhook = serializers.UUIDField()
    status = ShownTextField(words=Delivery.Status.values)
    attempts = CountField()
    next_attempt_at = TimestampField(allow_null=True)


@extend_schema_serializer(examples=[OpenApiExample("Completed", examples.NORMALIZATION)])
class NormalizationSerializer(NormalizationDataSerializer):
    """A transaction, and who the merchant is."""

    deliveries = DeliverySummarySerializer(many=True, help_text=_OF_DELIVERIES)


class TakenTransactionSerializer(serializers.Serializer):
    """The response of the first version's route."""

    request_id = serializers.UUIDField()


class GivenFeedbackSerializer(serializers.Serializer):
    """A correction, as listed for staff."""

    id = serializers.UUIDField()
    request_id = serializers.UUIDField()
    status = ShownTextField(words=Feedback.Status.values)
    merchant = serializers.CharField(source="merchant_name")
    comment = ShownTextField(allow_null=True)
    created_at = TimestampField()


class BatchCountsSerializer(serializers.Serializer):
    """Counts of rows; `corrected` counts each row whose answer has changed since once."""

    accepted = CountField()
    rejected = CountField()
    pending = CountField()
    completed = CountField()
    failed = CountField()
    canceled = CountField()
    corrected = CountField()


class BatchErrorSerializer(serializers.Serializer):
    """What is wrong with a rejected row."""

    row = serializers.IntegerField(min_value=1, help_text="Its position among the rows, from 1.")
    line = serializers.IntegerField(
        allow_null=True, help_text="The line it begins on, from 1; null in JSON."
    )
    pointer = serializers.CharField(help_text="The field at fault.")
    detail = serializers.CharField()


class BatchDataSerializer(serializers.Serializer):
    """A batch, as webhooks have it."""

    id = serializers.UUIDField()
    status = ShownTextField(words=Batch.Status.values)
    deliver = ShownTextField(
        words=Batch.Deliver.values, help_text="Whether each row gets a webhook, or the batch alone."
    )
    created_at = TimestampField()
    completed_at = TimestampField(allow_null=True)
    counts = BatchCountsSerializer()
    errors = BatchErrorSerializer(  # type: ignore[assignment]  # DRF takes fields out of the class
        many=True, help_text=f"What is wrong with the rejected rows; the first {MAX_ERRORS}."
    )


@extend_schema_serializer(
    examples=[OpenApiExample("Processing", examples.BATCH, status_codes=[200, 202])]
)
class BatchSerializer(BatchDataSerializer):
    """Many transactions sent at once."""

    deliveries = DeliverySummarySerializer(many=True, help_text=_OF_DELIVERIES)


class PeriodSerializer(serializers.Serializer):
    """The month, in UTC."""

    start = TimestampField()
    end = TimestampField()


class UsageCountsSerializer(serializers.Serializer):
    """This month's transactions, by status."""

    total = CountField()
    queued = CountField()
    processing = CountField()
    completed = CountField()
    failed = CountField()
    canceled = CountField()


class QuotaSerializer(serializers.Serializer):
    """Transactions a month; null without a limit."""

    limit = CountField(allow_null=True)
    used = CountField()
    remaining = CountField(allow_null=True)


class RateSerializer(serializers.Serializer):
    """Requests a minute; null without a limit."""

    requests_per_minute = CountField(allow_null=True)
    burst = CountField(allow_null=True)


class UsageSerializer(serializers.Serializer):
    """What a client has used, and its limits."""

    client_id = serializers.CharField()
    period = PeriodSerializer()
    normalizations = UsageCountsSerializer()
    quota = QuotaSerializer()
    rate = RateSerializer()


def normalization_objects(requests: Sequence[NormalizationRequest]) -> list[dict[str, Any]]:
    """Return the normalizations of a list, each with its latest deliveries.

    Costs one query if the requests' resolutions are loaded.
    """
    return _normalization_objects(requests, LISTED_DELIVERIES)


def _normalization_objects(
    requests: Sequence[NormalizationRequest], most: int
) -> list[dict[str, Any]]:
    deliveries = _deliveries([request.pk for request in requests], most)
    return [
        {**describe(request, request.resolution), "deliveries": deliveries[request.pk]}
        for request in requests
    ]


def normalization_object(request: NormalizationRequest) -> dict[str, Any]:
    """Return one normalization with its deliveries."""
    return _normalization_objects([request], SHOWN_DELIVERIES)[0]


def batch_object(batch: Batch) -> dict[str, Any]:
    """Return one batch with the deliveries of its own events."""
    return _batch_objects([batch], SHOWN_DELIVERIES)[0]


def batch_objects(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """Return the batches of a list, each with the latest deliveries of its own events."""
    return _batch_objects(batches, LISTED_DELIVERIES)


def _batch_objects(batches: Sequence[Batch], most: int) -> list[dict[str, Any]]:
    deliveries = _deliveries([batch.pk for batch in batches], most)
    return [{**describe_batch(batch), "deliveries": deliveries[batch.pk]} for batch in batches]


def merchant_object(merchant: Merchant) -> dict[str, Any]:
    """Return a merchant of the catalogue; prefetch its aliases.

    The first seven members are those of a normalization's ``merchant``.
    """
    return {
        "id": str(merchant.pk),
        "name": merchant.name,
        "website": merchant.website or None,
        "wikidata": merchant.wikidata or None,
        "mcc": merchant.mccs[0] if merchant.mccs else None,
        "category": member(of_merchant(merchant.category, merchant.mccs)),
        "logo_url": merchant.logo_url or None,
        "mccs": merchant.mccs,
        "countries": merchant.countries,
        "merged_into": str(merchant.merged_into_id) if merchant.merged_into_id else None,
        "aliases": [alias.text for alias in merchant.aliases.all() if alias.published],
    }


def _deliveries(subject_ids: Collection[UUID], most: int) -> dict[UUID, DeliveryObjects]:
    """Return the latest deliveries about some objects, by object, oldest first."""
    deliveries: dict[UUID, DeliveryObjects] = {subject_id: [] for subject_id in subject_ids}
    rows = (
        Delivery.objects.filter(event__subject_id__in=subject_ids)
        .annotate(number=Window(RowNumber(), partition_by="event__subject_id", order_by="-id"))
        .filter(number__lte=most)
        .order_by("id")
        .values_list(
            "event__subject_id", "id", "webhook_id", "status", "attempts", "next_attempt_at"
        )
    )
    for subject_id, pk, webhook_id, status, attempts, next_attempt_at in rows:
        deliveries[subject_id].append(
            {
                "id": str(pk),
                "webhook": str(webhook_id),
                "status": status,
                "attempts": attempts,
                "next_attempt_at": next_attempt_at and time_text(next_attempt_at),
            }
        )
    return deliveries
