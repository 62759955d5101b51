"""The timeline of a request, from received to delivered."""

from dataclasses import dataclass
from datetime import datetime

from merchants.models import NormalizationRequest
from webhooks.models import Delivery


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a request.

    Args:
        at: When; None for what is still to come.
        text: What.
        level: ``good``, ``bad``, ``busy`` or nothing.
        detail: Further information.
        delivery: Which delivery it concerns.
    """

    at: datetime | None
    text: str
    level: str = ""
    detail: str = ""
    delivery: Delivery | None = None


def deliveries_of(request: NormalizationRequest) -> list[Delivery]:
    """Return the deliveries of a request's events, and of its batch's, oldest first."""
    subjects = [request.pk, *([request.batch_id] if request.batch_id else [])]
    return list(
        Delivery.objects.filter(event__subject_id__in=subjects)
        .select_related("event", "webhook")
        .defer("event__body")
        .order_by("id")
    )


def timeline(request: NormalizationRequest, deliveries: list[Delivery]) -> list[Step]:
    """Return what has happened, in order; what is still to come is last."""
    steps = [Step(request.created_at, "Received", "good")]
    steps += _answering(request)
    if request.completed_at:
        level = {"completed": "good", "failed": "bad"}.get(request.status, "")
        seconds = (request.completed_at - request.created_at).total_seconds()
        steps.append(
            Step(
                request.completed_at,
                request.status.capitalize(),
                level,
                request.error or f"{seconds:.3g} s after it was received",
            )
        )
    for delivery in deliveries:
        steps.append(_delivering(delivery))
    return sorted(steps, key=lambda step: (step.at is None, step.at or request.created_at))


def _answering(request: NormalizationRequest) -> list[Step]:
    resolution = request.resolution
    if resolution is None:
        return [Step(None, "Waits for admission", "busy")] if not request.completed_at else []
    if resolution.finished_at and resolution.finished_at <= request.created_at:
        text = "Answered from an earlier resolution"
        return [Step(request.created_at, text, "good", f"resolution {resolution.key}")]
    steps = []
    if resolution.started_at:
        steps.append(
            Step(
                max(resolution.started_at, request.created_at),
                f"Heuristic, run {resolution.attempts}",
                "bad" if resolution.status == "failed" else "good",
                f"took {resolution.duration_ms} ms" if resolution.duration_ms is not None else "",
            )
        )
    if resolution.status in ("pending", "running"):
        steps.append(Step(None, f"Resolution is {resolution.status}", "busy", resolution.error))
    return steps


def _delivering(delivery: Delivery) -> Step:
    status = delivery.status
    if status == "pending" and delivery.attempts:
        status = "to be retried"
    levels = {"succeeded": "good", "failed": "bad", "canceled": "", "held": "warn"}
    return Step(
        delivery.finished_at or (delivery.created_at if delivery.status == "held" else None),
        f"{delivery.event.type}: {status}",
        levels.get(delivery.status, "busy"),
        f"{delivery.attempts} attempt{'' if delivery.attempts == 1 else 's'}, "
        f"to {delivery.webhook.url}",
        delivery,
    )
