"""Gauges: how much waits for admission, for the heuristic, and for review."""

from collections.abc import Iterator

from django.db.models import Min
from django.utils import timezone

from merchants.models import Feedback, NormalizationRequest, Resolution, Waiter
from merchants.requests import fair_share
from pave.operations.monitoring.gauges import Gauge

_DEPTH = "Rows that wait, by queue."
# How many clients are named: those that have waited longest.
_CLIENTS = 20
_AGE = "How long the oldest of them has waited, by queue."


def gauges() -> Iterator[Gauge]:
    """Yield depth and age of admission's and the heuristic's queue, and unreviewed feedback."""
    now = timezone.now()
    queued = NormalizationRequest.objects.queued()
    yield Gauge("queue_depth", _DEPTH, queued.count(), {"queue": "admission"})
    oldest = queued.aggregate(oldest=Min("created_at"))["oldest"]
    age = (now - oldest).total_seconds() if oldest else 0
    yield Gauge("queue_age_seconds", _AGE, age, {"queue": "admission"})
    waiters = Waiter.objects.due(now)
    yield Gauge("queue_depth", _DEPTH, waiters.count(), {"queue": "heuristic"})
    longest = fair_share.longest_waiting(_CLIENTS)
    age = (now - longest[0][1]).total_seconds() if longest else 0
    yield Gauge("queue_age_seconds", _AGE, age, {"queue": "heuristic"})
    for client_id, since in longest:
        yield Gauge(
            "client_wait_seconds",
            "How long a client's oldest transaction has waited for the heuristic.",
            (now - since).total_seconds(),
            {"client": client_id},
        )
    yield Gauge(
        "resolutions_running",
        "Runs of the heuristic in progress.",
        Resolution.objects.filter(status=Resolution.Status.RUNNING).count(),
    )
    yield Gauge(
        "feedback_open",
        "Corrections that nobody has reviewed.",
        Feedback.objects.filter(status=Feedback.Status.OPEN).count(),
    )
