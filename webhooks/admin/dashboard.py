"""Webhooks that need attention now, and endpoints that are slow or failing."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import F, Q, Sum
from django.urls import reverse

from pave.operations.models import Tally
from pave.staff.dashboard import cached_parts
from pave.staff.svg_charts import count_text, percent_text, seconds_text
from pave.staff.widgets import Attention, Cell, Part, Span, Table
from webhooks.models import Delivery, Webhook

SHOWN = 5
# Shorter failures are retried and need no attention.
FAILING_FOR = timedelta(minutes=10)
OVERDUE_AFTER = timedelta(minutes=1)


def parts(span: Span, now: datetime) -> Iterator[Part]:
    """Yield disabled and failing webhooks, late deliveries, and the worst endpoints of a span."""
    yield from _disabled()
    yield from _failing(now)
    yield from _overdue(now)
    yield from cached_parts("webhooks", span, lambda: _worst_endpoints(span, now))


def _url(webhook: Webhook) -> str:
    return reverse("admin:webhooks_webhook_change", args=[webhook.pk])


def _disabled() -> Iterator[Part]:
    disabled = (
        Webhook.objects.existing()
        .filter(enabled=False, disabled_at__isnull=False)
        # What people disabled needs no attention.
        .filter(disabled_by__in=Webhook.DISABLED_AUTOMATICALLY)
        .select_related("client")
        .order_by("-disabled_at")
    )
    for webhook in disabled[:SHOWN]:
        held = Delivery.objects.held().filter(webhook=webhook).order_by()[:1001].count()
        yield Attention(
            "bad",
            f"Webhook of {webhook.client} is disabled",
            _url(webhook),
            f"{webhook.get_disabled_by_display()}; "
            f"{'over 1,000' if held > 1000 else held} deliveries held. {webhook.url}",
            webhook.disabled_at,
        )
    if more := disabled[SHOWN : SHOWN + 1000].count():
        yield Attention(
            "bad",
            f"{more} more webhooks are disabled",
            reverse("admin:webhooks_webhook_changelist") + "?state=disabled",
        )


def _failing(now: datetime) -> Iterator[Part]:
    failing = (
        Webhook.objects.existing()
        .filter(enabled=True)
        .filter(Q(failing_since__lte=now - FAILING_FOR) | Q(breaker_opened_at__isnull=False))
        .select_related("client")
        .order_by(F("failing_since").asc(nulls_last=True))
    )
    for webhook in failing[:SHOWN]:
        state = "does not answer" if webhook.breaker_opened_at else "only fails"
        yield Attention(
            "warn",
            f"Webhook of {webhook.client} {state}",
            _url(webhook),
            webhook.url,
            webhook.failing_since or webhook.breaker_opened_at,
        )
    if more := failing[SHOWN : SHOWN + 1000].count():
        yield Attention(
            "warn",
            f"{more} more webhooks are failing",
            reverse("admin:webhooks_webhook_changelist") + "?state=failing",
        )


def _overdue(now: datetime) -> Iterator[Part]:
    """Yield a warning if deliveries wait for longer than they should."""
    oldest = (
        Delivery.objects.waiting()
        .filter(webhook__in=Webhook.objects.active(now).filter(breaker_opened_at=None))
        .order_by("next_attempt_at")
        .values_list("next_attempt_at", flat=True)
        .first()
    )
    if oldest is not None and oldest < now - OVERDUE_AFTER:
        yield Attention(
            "bad",
            "Deliveries are late",
            reverse("admin:webhooks_delivery_changelist") + "?status__exact=pending",
            "The oldest was due long ago. Does a cluster run? Are endpoints slow?",
            oldest,
        )


def _worst_endpoints(span: Span, now: datetime) -> Iterator[Part]:
    rows = list(
        Tally.objects.filter(name="webhook_attempts", at__gte=span.times(now)[0])
        .order_by()
        .values("subject")
        .annotate(
            tried=Sum("count"),
            ok=Sum("count", filter=Q(label="ok"), default=0),
            seconds=Sum("total"),
        )
    )
    failing = sorted(rows, key=lambda row: row["ok"] - row["tried"])
    counted = [row for row in failing[:SHOWN] if row["tried"] > row["ok"]]
    timed = sorted(rows, key=lambda row: -row["seconds"] / row["tried"])[:SHOWN]
    webhooks = Webhook.objects.select_related("client").in_bulk(
        {row["subject"] for row in [*counted, *timed]}
    )
    by_subject = {str(pk): webhook for pk, webhook in webhooks.items()}
    yield Table(
        "Most failing endpoints",
        ("Endpoint", "Client", "Failed", "Of attempts"),
        [
            (
                Cell(by_subject[row["subject"]].url, _url(by_subject[row["subject"]])),
                Cell(str(by_subject[row["subject"]].client)),
                Cell(count_text(row["tried"] - row["ok"]), level="bad"),
                Cell(percent_text(1 - row["ok"] / row["tried"])),
            )
            for row in counted
            if row["subject"] in by_subject
        ],
        "No attempt has failed.",
    )
    yield Table(
        "Slowest endpoints",
        ("Endpoint", "Client", "Answers in, mean", "Attempts"),
        [
            (
                Cell(by_subject[row["subject"]].url, _url(by_subject[row["subject"]])),
                Cell(str(by_subject[row["subject"]].client)),
                Cell(seconds_text(float(f"{row['seconds'] / row['tried']:.2g}"))),
                Cell(count_text(row["tried"])),
            )
            for row in timed
            if row["subject"] in by_subject
        ],
        "Nothing has been sent.",
    )
