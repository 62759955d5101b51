"""The state of the clusters, figures and plots on the admin's home page."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.safestring import SafeString

from pave.operations.cluster.wakeup import QUEUES
from pave.operations.models import ClusterBeat
from pave.operations.monitoring.health import SEEN_WITHIN
from pave.operations.monitoring.timeseries import TimeSeries, read
from pave.staff.dashboard import cached_parts
from pave.staff.svg_charts import Series, bars, count_text, lines, percent_text, seconds_text
from pave.staff.widgets import Attention, Figure, Part, Plot, Span

NAMES = (
    "requests",
    "memory",
    "wait_seconds",
    "heuristic_seconds",
    "attempts",
    "deliveries",
)
# A cluster last seen within this time is reported as missing; an older one was removed.
MISSED_FOR = timedelta(days=1)


def parts(span: Span, now: datetime) -> Iterator[Part]:
    """Yield missing clusters, and the figures and plots of a span."""
    yield from _clusters(now)
    yield from cached_parts("operations", span, lambda: _series(span, now))


def _clusters(now: datetime) -> Iterator[Part]:
    url = reverse("admin:operations_clusterbeat_changelist")
    beats = list(ClusterBeat.objects.order_by("queue", "host"))
    seen_queues = {beat.queue for beat in beats if beat.seen_at >= now - SEEN_WITHIN}
    for beat in beats:
        if beat.queue in seen_queues and now - MISSED_FOR <= beat.seen_at < now - SEEN_WITHIN:
            yield Attention(
                "warn",
                f"Cluster {beat.queue} on {beat.host} does not report",
                url,
                since=beat.seen_at,
            )
    for queue in sorted(set(QUEUES) - seen_queues):
        what = "answered" if queue == "heuristic" else "admitted or delivered"
        yield Attention(
            "bad",
            f"No cluster works on the queue {queue}",
            url,
            f"Nothing new is {what} until manage.py qcluster runs.",
        )


def _series(span: Span, now: datetime) -> Iterator[Part]:
    series = read(span, now, names=NAMES)
    yield from _figures(series)
    yield from _plots(series, span)


def _figures(series: TimeSeries) -> Iterator[Part]:
    queued = series.sum("requests", "queued")
    completed = series.sum("requests", "completed")
    failed = series.sum("requests", "failed")
    yield Figure("Requests", count_text(queued), f"{count_text(completed)} completed")
    yield Figure(
        "Failed requests",
        count_text(failed),
        percent_text(failed / (completed + failed)) if failed else "",
    )
    hits, misses = series.sum("memory", "known"), series.sum("memory", "waiting")
    yield Figure(
        "Answered from the cache",
        percent_text(hits / (hits + misses)) if hits + misses else "–",
        "without a run of the heuristic",
    )
    for label, name in (("Waiting", "wait_seconds"), ("Heuristic", "heuristic_seconds")):
        p50 = series.percentile(name, 0.5)
        p95 = series.percentile(name, 0.95)
        yield Figure(
            f"{label}, p95",
            f"≤ {seconds_text(p95)}" if p95 is not None else "–",
            f"p50 ≤ {seconds_text(p50)}" if p50 is not None else "",
        )
    ok, attempts = series.sum("attempts", "ok"), series.sum("attempts")
    yield Figure(
        "Attempts that succeeded",
        percent_text(ok / attempts) if attempts else "–",
        f"of {count_text(attempts)}",
    )


def _plots(series: TimeSeries, span: Span) -> Iterator[Part]:
    times, step = series.times, span.step
    minutes = step.total_seconds() / 60
    yield Plot(
        "Requests per minute",
        lines(
            [
                Series("accepted", _per(series.of("requests", "queued"), minutes), "s1"),
                Series("completed", _per(series.of("requests", "completed"), minutes), "s2"),
                Series("failed", _per(series.of("requests", "failed"), minutes), "bad"),
            ],
            times,
            step,
        ),
    )
    yield Plot("Deliveries by outcome", outcome_bars(series, span))
    for title, name in (
        ("From request to answer", "wait_seconds"),
        ("Runs of the heuristic", "heuristic_seconds"),
    ):
        yield Plot(title, duration_lines(series, span, name), "Upper bounds of their classes.")
    hits, misses = series.of("memory", "known"), series.of("memory", "waiting")
    yield Plot(
        "Share answered from the cache",
        lines(
            [
                Series(
                    "from the cache",
                    [
                        hit / (hit + miss) if hit + miss else None
                        for hit, miss in zip(hits, misses, strict=True)
                    ],
                    "s2",
                )
            ],
            times,
            step,
            text=percent_text,
            top=1.0,
        ),
    )


def outcome_bars(series: TimeSeries, span: Span, *, of: str = "") -> SafeString:
    """Return a plot of attempts by outcome: delivered, to be retried, failed for good.

    Args:
        series: The counts.
        span: The span of time.
        of: Prefix of the counters' names; ``webhook_`` for those of one webhook.
    """
    final = series.of(f"{of}deliveries", "failed")
    delivered = series.of(f"{of}attempts", "ok")
    failed = [
        attempts - ok for attempts, ok in zip(series.of(f"{of}attempts"), delivered, strict=True)
    ]
    return bars(
        [
            Series("delivered", delivered, "good"),
            Series(
                "failed, to be retried",
                [max(0, failures - last) for failures, last in zip(failed, final, strict=True)],
                "warn",
            ),
            Series("failed for good", final, "bad"),
        ],
        series.times,
        span.step,
    )


def duration_lines(series: TimeSeries, span: Span, name: str) -> SafeString:
    """Return a plot of durations' p50 and p95."""
    return lines(
        [
            Series("p50", series.percentiles(name, 0.5), "s1"),
            Series("p95", series.percentiles(name, 0.95), "s3"),
        ],
        series.times,
        span.step,
        text=seconds_text,
        logarithmic=True,
    )


def _per(counts: list[int], minutes: float) -> list[float | None]:
    return [count / minutes for count in counts]
