"""Objects as the API gives them: in an answer, in a list and, without deliveries, in a webhook."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from merchants.matching.categories import Category, member, of_merchant
from merchants.models import Batch, Merchant, NormalizationRequest
from merchants.requests.events import as_text, describe, describe_batch
from webhooks.models import Delivery

DeliveryObjects = list[dict[str, Any]]


def normalization_objects(requests: Sequence[NormalizationRequest]) -> list[dict[str, Any]]:
    """Return normalizations with their deliveries.

    Costs one query where the requests' resolutions are loaded.
    """
    deliveries = _deliveries([request.pk for request in requests])
    return [
        {**describe(request, request.resolution), "deliveries": deliveries[request.pk]}
        for request in requests
    ]


def normalization_object(request: NormalizationRequest) -> dict[str, Any]:
    """Return one normalization with its deliveries."""
    return normalization_objects([request])[0]


def batch_objects(batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """Return batches with the deliveries of their own events, in one query."""
    deliveries = _deliveries([batch.pk for batch in batches])
    return [{**describe_batch(batch), "deliveries": deliveries[batch.pk]} for batch in batches]


def merchant_object(merchant: Merchant) -> dict[str, Any]:
    """Return a merchant of the catalogue; its aliases are to be prefetched.

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


def category_object(category: Category) -> dict[str, Any]:
    """Return a category of the published list."""
    return {
        "primary": category.primary,
        "detailed": category.detailed,
        "title": category.title,
        "mccs": list(category.mccs),
        "plaid": category.plaid,
    }


def _deliveries(subject_ids: Collection[UUID]) -> dict[UUID, DeliveryObjects]:
    """Return the deliveries of the events about some objects, by object, oldest first."""
    found: dict[UUID, DeliveryObjects] = {subject_id: [] for subject_id in subject_ids}
    rows = (
        Delivery.objects.filter(event__subject_id__in=subject_ids)
        .order_by("id")
        .values_list(
            "event__subject_id", "id", "webhook_id", "status", "attempts", "next_attempt_at"
        )
    )
    for subject_id, pk, webhook_id, status, attempts, next_attempt_at in rows:
        found[subject_id].append(
            {
                "id": str(pk),
                "webhook": str(webhook_id),
                "status": status,
                "attempts": attempts,
                "next_attempt_at": as_text(next_attempt_at),
            }
        )
    return found
