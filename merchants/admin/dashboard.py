"""Requests, resolutions and feedback that need attention now."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse

from merchants.models import Feedback, NormalizationRequest, Resolution
from merchants.requests import fair_share
from pave.core.ids import first_id_at
from pave.operations.monitoring.timeseries import read
from pave.staff.dashboard import cached_parts
from pave.staff.svg_charts import Series, bars, seconds_text
from pave.staff.widgets import SPANS, Attention, Part, Plot, Span

# Requests that wait longer than this are shown even where long waits are usual.
USUAL_AT_LEAST = 30.0
# Times the usual waiting.
UNUSUAL = 3.0
MOST = 1000


def parts(span: Span, now: datetime) -> Iterator[Part]:
    """Yield requests that wait too long, failed heuristics, feedback to be reviewed, a plot."""
    yield from _waiting(now)
    yield from _failed(now)
    open_feedback = Feedback.objects.filter(status=Feedback.Status.OPEN).order_by("id")
    if count := open_feedback[: MOST + 1].count():
        oldest = open_feedback.values_list("created_at", flat=True).first()
        yield Attention(
            "warn",
            f"{count} correction{'s' if count > 1 else ''} to be reviewed",
            reverse("admin:merchants_feedback_changelist") + "?status__exact=open",
            since=oldest,
        )
    yield from cached_parts("merchants", span, lambda: [_answers(span, now)])


def _answers(span: Span, now: datetime) -> Plot:
    series = read(span, now, names=["answers"])
    return Plot(
        "Answers by method",
        bars(
            [
                Series(method, series.of("answers", method), f"s{number}")
                for number, method in enumerate(Resolution.Method.values, 1)
            ],
            series.times,
            span.step,
        ),
    )


def _waiting(now: datetime) -> Iterator[Part]:
    usual = read(SPANS["day"], now, names=["wait_seconds"]).percentile("wait_seconds", 0.95)
    limit = timedelta(seconds=min(max(USUAL_AT_LEAST, UNUSUAL * (usual or 0)), 86_400))
    queued = (
        NormalizationRequest.objects.queued().single().values_list("created_at", flat=True).first()
    )
    longest = fair_share.longest_waiting(1)
    due = longest[0][1] if longest else None
    for oldest, text, status in (
        (queued, "Requests wait for admission", "queued"),
        (due, "Requests wait for the heuristic", "processing"),
    ):
        if oldest is not None and oldest < now - limit:
            yield Attention(
                "bad",
                text,
                reverse("admin:merchants_normalizationrequest_changelist")
                + f"?status__exact={status}",
                f"Longer than {seconds_text(round(limit.total_seconds()))}, which is unusual.",
                oldest,
            )


def _failed(now: datetime) -> Iterator[Part]:
    failed = Resolution.objects.filter(
        status=Resolution.Status.FAILED, id__gte=first_id_at(now - timedelta(days=1))
    ).order_by("-id")
    if count := failed[: MOST + 1].count():
        newest = failed.first()
        yield Attention(
            "bad",
            f"The heuristic failed on {'over 1,000' if count > MOST else count} resolution"
            f"{'s' if count > 1 else ''} in a day",
            reverse("admin:merchants_resolution_changelist") + "?status__exact=failed",
            newest.error if newest else "",
        )
