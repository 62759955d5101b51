"""Gauges: how much waits to be delivered, is in flight, and is held."""

from collections.abc import Iterator

from django.utils import timezone

from pave.operations.monitoring.gauges import Gauge
from webhooks.models import Delivery, Webhook


def gauges() -> Iterator[Gauge]:
    """Yield depth and age of due deliveries, those in flight and held, and disabled webhooks."""
    now = timezone.now()
    due = Delivery.objects.due(now)
    yield Gauge("queue_depth", "Rows that wait, by queue.", due.count(), {"queue": "delivery"})
    # What waits for an endpoint that is down for days is not late by a fault of ours.
    sendable = due.exclude(webhook__paused_until__gt=now).order_by("next_attempt_at")
    oldest = sendable.values_list("next_attempt_at", flat=True).first()
    yield Gauge(
        "queue_age_seconds",
        "How long the oldest of them has waited, by queue.",
        (now - oldest).total_seconds() if oldest else 0,
        {"queue": "delivery"},
    )
    for status, text in (
        (Delivery.Status.DELIVERING, "Deliveries in flight."),
        (Delivery.Status.HELD, "Deliveries held for disabled webhooks."),
    ):
        count = Delivery.objects.filter(status=status).count()
        yield Gauge(f"deliveries_{status}", text, count)
    yield Gauge(
        "webhooks_disabled",
        "Webhooks that are disabled.",
        Webhook.objects.existing().filter(enabled=False).count(),
    )
    tripped = Webhook.objects.existing().filter(breaker_opened_at__isnull=False)
    for state, rows in (
        ("open", tripped.filter(paused_until__gt=now)),
        ("half-open", tripped.exclude(paused_until__gt=now)),
    ):
        text = "Webhooks whose circuit breaker is open, or half-open."
        yield Gauge("webhooks_breaker", text, rows.count(), {"state": state})
