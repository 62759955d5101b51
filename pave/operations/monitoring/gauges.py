"""Gauges of the present state of the tables: depths, ages, states."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.utils import timezone

from pave.core.app_config import pave_apps
from pave.operations.models import ClusterBeat


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge.

    Args:
        name: As in the metrics, without the prefix ``pave_``.
        text: Its help text.
        value: The number.
        labels: Distinguish gauges of one name.
    """

    name: str
    text: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def gauges() -> Iterator[Gauge]:
    """Yield the gauges of every app."""
    for app in pave_apps():
        yield from app.gauges()


def cluster_gauges() -> Iterator[Gauge]:
    """Yield how long ago each cluster was seen, and how often it was restarted."""
    now = timezone.now()
    for beat in ClusterBeat.objects.order_by("host", "supervisor", "queue"):
        labels = {"host": beat.host, "supervisor": str(beat.supervisor), "queue": beat.queue}
        age = (now - beat.seen_at).total_seconds()
        yield Gauge(
            "cluster_seen_seconds_ago", "Seconds since a cluster last reported.", age, labels
        )
        yield Gauge("cluster_restarts", "Restarts by its supervisor.", beat.restarts, labels)
