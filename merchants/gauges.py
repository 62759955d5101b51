"""How much work waits for the heuristic's side of Pave."""

from collections.abc import Iterator

from django.db.models import Min
from django.utils import timezone

from merchants.models import Feedback, NormalizationRequest, Resolution
from pave.operations.gauges import Gauge

_DEPTH = "Rows that wait, by queue."
_AGE = "How long the oldest of them has waited, by queue."


def gauges() -> Iterator[Gauge]:
    """Yield depth and age of admission's and the heuristic's queue, and unreviewed feedback."""
    now = timezone.now()
    queued = NormalizationRequest.objects.queued()
    yield Gauge("queue_depth", _DEPTH, queued.count(), {"queue": "admission"})
    oldest = queued.aggregate(oldest=Min("created_at"))["oldest"]
    age = (now - oldest).total_seconds() if oldest else 0
    yield Gauge("queue_age_seconds", _AGE, age, {"queue": "admission"})
    due = Resolution.objects.due(now)
    yield Gauge("queue_depth", _DEPTH, due.count(), {"queue": "heuristic"})
    oldest = due.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()
    age = (now - oldest).total_seconds() if oldest else 0
    yield Gauge("queue_age_seconds", _AGE, age, {"queue": "heuristic"})
    yield Gauge(
        "resolutions_running",
        "Runs of the heuristic under way.",
        Resolution.objects.filter(status=Resolution.Status.RUNNING).count(),
    )
    yield Gauge(
        "feedback_open",
        "Corrections that nobody has reviewed.",
        Feedback.objects.filter(status=Feedback.Status.OPEN).count(),
    )
