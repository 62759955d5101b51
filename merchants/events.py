"""The events that clients are told of, and the objects in them."""

from datetime import datetime
from typing import Any

from merchants.models import Batch, NormalizationRequest, Resolution
from webhooks.publishing import Occurrence

COMPLETED = "normalization.completed"
FAILED = "normalization.failed"
UPDATED = "normalization.updated"
BATCH_COMPLETED = "batch.completed"


def describe(request: NormalizationRequest, resolution: Resolution | None) -> dict[str, Any]:
    """Return a normalization as clients see it, without its deliveries.

    Args:
        request: The request.
        resolution: Its resolution, if it has one.
    """
    completed = request.status == NormalizationRequest.Status.COMPLETED
    answer = resolution.answer if completed and resolution and resolution.answer else {}
    return {
        "request_id": str(request.pk),
        "status": request.status,
        "created_at": as_text(request.created_at),
        "completed_at": as_text(request.completed_at),
        "transaction": {
            "description": request.description,
            "amount": request.amount or None,
            "currency": request.currency or None,
            "date": request.date.isoformat() if request.date else None,
            "mcc": request.mcc or None,
            "country": request.country or None,
            "city": request.city or None,
            "reference": request.reference or None,
        },
        "merchant": answer.get("merchant"),
        "match": answer.get("match"),
        "error": request.error or None,
        "batch": str(request.batch_id) if request.batch_id else None,
    }


def describe_batch(batch: Batch) -> dict[str, Any]:
    """Return a batch as clients see it, without its deliveries."""
    return {
        "id": str(batch.pk),
        "status": batch.status,
        "deliver": batch.deliver,
        "created_at": as_text(batch.created_at),
        "completed_at": as_text(batch.completed_at),
        "counts": {
            "accepted": batch.accepted,
            "rejected": batch.rejected,
            "pending": batch.pending,
            "completed": batch.completed,
            "failed": batch.failed,
            "canceled": batch.canceled,
        },
        "errors": batch.errors,
    }


def occurrence(
    event_type: str, request: NormalizationRequest, resolution: Resolution | None
) -> Occurrence:
    """Return what is published when something happened to a request.

    The members ``merchant`` and ``request_id`` at the top are the seed's: its clients read them.
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


def batch_occurrence(batch: Batch) -> Occurrence:
    """Return what is published when the last row of a batch has its end."""
    return Occurrence(
        client_pk=batch.client_id,
        type=BATCH_COMPLETED,
        subject_id=batch.pk,
        data=describe_batch(batch),
    )


def as_text(moment: datetime | None) -> str | None:
    """Return a time as RFC 3339 has it, in UTC."""
    return moment.isoformat().replace("+00:00", "Z") if moment else None
