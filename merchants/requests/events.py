"""The events that clients are notified of, and the objects in them."""

from typing import Any

from merchants.matching import categories
from merchants.matching.reading import Reading
from merchants.matching.text.uris import as_uri
from merchants.matching.types import NO_NAME
from merchants.models import Batch, NormalizationRequest, Resolution
from pave.core.time_text import time_text
from webhooks.publishing import Occurrence

COMPLETED = "normalization.completed"
FAILED = "normalization.failed"
UPDATED = "normalization.updated"
BATCH_COMPLETED = "batch.completed"
BATCH_UPDATED = "batch.updated"
# A request has one of these at a time.
OF_REQUESTS = (COMPLETED, FAILED, UPDATED)


_NOTHING_FOUND = dict.fromkeys(
    ("merchant", "match", "location", "kind", "channel", "counterparties")
)


def describe(request: NormalizationRequest, resolution: Resolution | None) -> dict[str, Any]:
    """Return a normalization as clients see it, without its deliveries.

    Args:
        request: The request.
        resolution: Its resolution, if it has one.
    """
    completed = request.status == NormalizationRequest.Status.COMPLETED
    answer = resolution.answer if completed and resolution and resolution.answer else None
    return {
        "request_id": str(request.pk),
        "status": request.status,
        "created_at": time_text(request.created_at),
        "completed_at": request.completed_at and time_text(request.completed_at),
        "transaction": request.as_sent(),
        "metadata": request.metadata or {},
        **(_found(answer, request) if answer else _NOTHING_FOUND),
        "error": request.error or None,
        "batch": str(request.batch_id) if request.batch_id else None,
    }


def _found(answer: dict[str, Any], request: NormalizationRequest) -> dict[str, Any]:
    members = found(answer, request.own_reading, request.country)
    # One that an earlier release has answered has none of its own, or an older one than its answer.
    members["match"]["ruleset"] = max(request.ruleset or 0, members["match"]["ruleset"])
    return members


def found(answer: dict[str, Any], reading: Reading, country: str) -> dict[str, Any]:
    """Return the members with the shared answer, and those with this transaction's reading.

    Args:
        answer: The resolution's stored answer, the same for all requests that share it.
        reading: This transaction's own.
        country: The transaction's country as the client gave it.
    """
    merchant = _merchant(answer, country or reading.country)
    return {
        "merchant": merchant,
        "match": _match(answer, reading),
        "location": _location(reading),
        "kind": _kind(merchant, reading),
        "channel": reading.channel,
        "counterparties": _counterparties(merchant, reading),
    }


def _kind(merchant: dict[str, Any], reading: Reading) -> str:
    """Return the kind; a known merchant overrides a reading that names a person."""
    known = bool(merchant["id"]) if reading.kind == "unknown" else _sells(merchant)
    return "purchase" if known and reading.kind in ("unknown", "person_to_person") else reading.kind


def _sells(merchant: dict[str, Any]) -> bool:
    """Return whether the merchant is known and no service that transfers money (Zelle)."""
    category = merchant["category"] or {}
    return bool(merchant["id"]) and category.get("primary") != "financial_services"


def _merchant(answer: dict[str, Any], country: str) -> dict[str, Any]:
    merchant = answer["merchant"]
    website = merchant.get("websites", {}).get(country) or merchant["website"]
    logo = merchant.get("logo_url")
    return {
        "id": merchant["id"],
        "name": merchant["name"],
        # Answers of earlier releases hold web addresses that are no URIs.
        "website": as_uri(website) if website else None,
        "wikidata": merchant["wikidata"],
        "mcc": merchant["mcc"],
        "category": categories.as_member(merchant["category"], merchant["mcc"]),
        "logo_url": as_uri(logo) if logo else None,
    }


def _match(answer: dict[str, Any], reading: Reading) -> dict[str, Any]:
    match = answer["match"]
    # A processor that was paid itself is no intermediary.
    paid_itself = reading.intermediary == answer["merchant"]["name"]
    return {
        "method": match["method"],
        "confidence": match["confidence"],
        "descriptor": reading.descriptor,
        "intermediary": None if paid_itself else reading.intermediary,
        "rule": match["rule"],
        "ruleset": match["ruleset"],
    }


def _location(reading: Reading) -> dict[str, Any]:
    return {
        "city": reading.city or None,
        "region": reading.region or None,
        "country": reading.country or None,
        "postal_code": reading.postal_code or None,
        "address": reading.address or None,
        "store_number": reading.store_number or None,
        "phone": reading.phone or None,
    }


def _counterparties(merchant: dict[str, Any], reading: Reading) -> list[dict[str, Any]]:
    """Return who took part: the merchant, and the others that the text names.

    Each party is listed once. A marketplace that is the merchant is listed as a marketplace, with
    the merchant's id, since the seller is unknown. AMAZON.COM means that Amazon itself sold.
    """
    name = merchant["name"]
    others = [party for party in reading.counterparties if not party.name or party.name != name]
    if _sells(merchant):
        others = [party for party in others if party.type != "person"]  # PAYMENT TO PAUL SMITH
    parties = [{"type": party.type, "name": party.name, "id": None} for party in others]
    if name == NO_NAME:
        return parties
    is_marketplace = any(
        party.type == "marketplace" and party.name == name for party in reading.counterparties
    )
    role = "marketplace" if is_marketplace else "merchant"
    return [{"type": role, "name": name, "id": merchant["id"]}, *parties]


def describe_batch(batch: Batch) -> dict[str, Any]:
    """Return a batch as clients see it, without its deliveries."""
    return {
        "id": str(batch.pk),
        "status": batch.status,
        "deliver": batch.deliver,
        "created_at": time_text(batch.created_at),
        "completed_at": batch.completed_at and time_text(batch.completed_at),
        "counts": {
            "accepted": batch.accepted,
            "rejected": batch.rejected,
            "pending": batch.pending,
            "completed": batch.completed,
            "failed": batch.failed,
            "canceled": batch.canceled,
            "corrected": batch.corrected,
        },
        "errors": batch.errors,
    }


def occurrence(
    event_type: str, request: NormalizationRequest, resolution: Resolution | None
) -> Occurrence:
    """Return the event to publish about a request.

    The members ``merchant`` and ``request_id`` at the top are those of Pave's first version.
    """
    data = describe(request, resolution)
    name = (data["merchant"] or {}).get("name")
    return Occurrence(
        client_pk=request.client_id,
        type=event_type,
        subject_id=request.pk,
        data=data,
        extra={
            "merchant": {"name": name} if name else None,
            "request_id": data["request_id"],
        },
    )


def batch_occurrence(event_type: str, batch: Batch) -> Occurrence:
    """Return the event to publish when a batch is completed or its answers are corrected."""
    return Occurrence(
        client_pk=batch.client_id,
        type=event_type,
        subject_id=batch.pk,
        data=describe_batch(batch),
    )
