"""The context of a webhook's page."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from pave.operations.dashboard import duration_lines, outcome_bars
from pave.operations.monitoring.counters import SUBJECT_MINUTES
from pave.operations.monitoring.timeseries import read
from pave.staff.dashboard import span_of
from pave.staff.svg_charts import percent_text, seconds_text
from pave.staff.widgets import SPANS
from webhooks.delivery import recovery
from webhooks.models import Delivery, DeliveryAttempt, Recovery, Webhook

NAMES = ("webhook_attempts", "webhook_seconds", "webhook_deliveries")
# One webhook's counters are kept in steps of five minutes.
LAST_HOUR = replace(SPANS["hour"], step=timedelta(minutes=SUBJECT_MINUTES), steps=12)
# Counted no further: a backlog on a page need not be exact.
COUNT_LIMIT = 1000
RECENT = 15
UNDELIVERED = 8
RECOVERIES_SHOWN_FOR = timedelta(days=7)


def page_context(request: HttpRequest, webhook: Webhook) -> dict[str, Any]:
    """Return the figures, plots and lists of a webhook's page."""
    now = timezone.now()
    span = span_of(request)
    if span.name == "hour":
        span = LAST_HOUR
    series = read(span, now, names=NAMES, subject=str(webhook.pk))
    ok, attempts_count = series.sum("webhook_attempts", "ok"), series.sum("webhook_attempts")
    p50, p95 = (series.percentile("webhook_seconds", share) for share in (0.5, 0.95))
    deliveries = Delivery.objects.filter(webhook=webhook)
    undelivered = _undelivered(webhook)
    recent = list(_with_events(deliveries.order_by("-id")[:RECENT]))
    attach_last_attempts([*undelivered, *recent])
    return {
        "now": now,
        "held_days": settings.PAVE_HELD_DAYS,
        "webhook": webhook,
        "span": span,
        "spans": SPANS.values(),
        "success": percent_text(ok / attempts_count) if attempts_count else "–",
        "tried": attempts_count,
        "p50": f"≤ {seconds_text(p50)}" if p50 is not None else "–",
        "p95": f"≤ {seconds_text(p95)}" if p95 is not None else "–",
        "held": capped_count(Delivery.objects.held().filter(webhook=webhook)),
        "waiting": capped_count(Delivery.objects.waiting().filter(webhook=webhook)),
        "outcomes": outcome_bars(series, span, of="webhook_"),
        "latency": duration_lines(series, span, "webhook_seconds"),
        "undelivered": undelivered,
        "recent": recent,
        "recoveries": _recoveries(webhook),
        "secrets": list(webhook.secrets.all()),
        "header_names": sorted(webhook.headers or {}),
    }


def capped_count(queryset: Any) -> str:
    """Return a count, up to ``COUNT_LIMIT``."""
    number = queryset.order_by()[: COUNT_LIMIT + 1].count()
    return f"more than {COUNT_LIMIT:,}" if number > COUNT_LIMIT else str(number)


def attach_last_attempts(deliveries: Iterable[Delivery]) -> None:
    """Set ``last_attempt`` on each delivery, by one query for all."""
    deliveries = list(deliveries)
    # The one that is counted last is in flight and has no row yet, or has one.
    last = (
        DeliveryAttempt.objects.filter(
            delivery__in=[delivery.pk for delivery in deliveries],
            number__gte=F("delivery__attempts") - 1,
        )
        .defer("request_headers", "response_headers", "response_head", "timings")
        .order_by("number")
    )
    attempts: dict[UUID, DeliveryAttempt] = {attempt.delivery_id: attempt for attempt in last}
    for delivery in deliveries:
        delivery.last_attempt = attempts.get(delivery.pk)  # type: ignore[attr-defined]  # for the page


def _undelivered(webhook: Webhook) -> list[Delivery]:
    """Return what has failed, waits for a retry, or is held: a few of each."""
    deliveries = Delivery.objects.filter(webhook=webhook)
    retrying = deliveries.waiting().filter(attempts__gt=0).order_by("next_attempt_at")
    failed = deliveries.filter(status=Delivery.Status.FAILED).order_by("-id")
    return list(
        chain(
            _with_events(retrying[:UNDELIVERED]),
            _with_events(failed[:UNDELIVERED]),
            _with_events(deliveries.held().order_by("id")[:UNDELIVERED]),
        )
    )


def _with_events(deliveries: Any) -> Any:
    return deliveries.select_related("event").defer("event__body")


def _recoveries(webhook: Webhook) -> list[dict[str, Any]]:
    since = timezone.now() - RECOVERIES_SHOWN_FOR
    jobs = Recovery.objects.filter(webhook=webhook, created_at__gte=since).order_by("-id")[:3]
    return [{"recovery": job, **recovery.progress(job)} for job in jobs]
