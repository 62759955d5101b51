"""How Pave runs, on the admin's home page: clusters, figures and plots."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.safestring import SafeString

from pave.operations.models import ClusterBeat
from pave.operations.monitoring.health import QUEUES, SEEN_WITHIN
from pave.operations.monitoring.timeseries import Readings, read
from pave.staff.dashboard import remembered
from pave.staff.svg_charts import Series, bars, count_text, lines, percent_text, seconds_text
from pave.staff.widgets import Attention, Figure, Part, Plot, Span

NAMES = (
    "requests",
    "answers",
    "memory",
    "wait_seconds",
    "heuristic_seconds",
    "attempts",
    "deliveries",
)
# A cluster that was seen within so long is missed; an older one was taken away by somebody.
MISSED_FOR = timedelta(days=1)


def parts(span: Span, now: datetime) -> Iterator[Part]:
    """Yield clusters that are missed, and the figures and plots of a span."""
    yield from _clusters(now)
    yield from remembered("operations", span, lambda: _readings(span, now))


def _clusters(now: datetime) -> Iterator[Part]:
    url = reverse("admin:operations_clusterbeat_changelist")
    beats = list(ClusterBeat.objects.order_by("queue", "host"))
    at_work = {beat.queue for beat in beats if beat.seen_at >= now - SEEN_WITHIN}
    for beat in beats:
        if beat.queue in at_work and now - MISSED_FOR <= beat.seen_at < now - SEEN_WITHIN:
            yield Attention(
                "warn",
                f"Cluster {beat.queue} on {beat.host} is not seen at work",
                url,
                since=beat.seen_at,
            )
    for queue in sorted(QUEUES - at_work):
        what = "answered" if queue == "heuristic" else "admitted or delivered"
        yield Attention(
            "bad",
            f"No cluster works on the queue {queue}",
            url,
            f"Nothing new is {what} until manage.py qcluster runs.",
        )


def _readings(span: Span, now: datetime) -> Iterator[Part]:
    readings = read(span, now, names=NAMES)
    yield from _figures(readings)
    yield from _plots(readings, span)


def _figures(readings: Readings) -> Iterator[Part]:
    taken = readings.sum("requests", "queued")
    completed = readings.sum("requests", "completed")
    failed = readings.sum("requests", "failed")
    yield Figure("Requests", count_text(taken), f"{count_text(completed)} completed")
    yield Figure(
        "Failed requests",
        count_text(failed),
        percent_text(failed / (completed + failed)) if failed else "",
    )
    known, waited = readings.sum("memory", "known"), readings.sum("memory", "waiting")
    yield Figure(
        "Answered from memory",
        percent_text(known / (known + waited)) if known + waited else "–",
        "without a run of the heuristic",
    )
    for label, name in (("Waiting", "wait_seconds"), ("Heuristic", "heuristic_seconds")):
        half = readings.percentile(name, 0.5)
        most = readings.percentile(name, 0.95)
        yield Figure(
            f"{label}, p95",
            f"≤ {seconds_text(most)}" if most is not None else "–",
            f"p50 ≤ {seconds_text(half)}" if half is not None else "",
        )
    ok, tried = readings.sum("attempts", "ok"), readings.sum("attempts")
    yield Figure(
        "Attempts that succeeded",
        percent_text(ok / tried) if tried else "–",
        f"of {count_text(tried)}",
    )


def _plots(readings: Readings, span: Span) -> Iterator[Part]:
    times, step = readings.times, span.step
    minutes = step.total_seconds() / 60
    yield Plot(
        "Requests per minute",
        lines(
            [
                Series("taken", _per(readings.of("requests", "queued"), minutes), "s1"),
                Series("completed", _per(readings.of("requests", "completed"), minutes), "s2"),
                Series("failed", _per(readings.of("requests", "failed"), minutes), "bad"),
            ],
            times,
            step,
        ),
    )
    yield Plot("Deliveries by outcome", outcome_bars(readings, span))
    for title, name in (
        ("From request to answer", "wait_seconds"),
        ("Runs of the heuristic", "heuristic_seconds"),
    ):
        yield Plot(title, duration_lines(readings, span, name), "Upper bounds of their classes.")
    known, waited = readings.of("memory", "known"), readings.of("memory", "waiting")
    yield Plot(
        "Share answered from memory",
        lines(
            [
                Series(
                    "from memory",
                    [
                        one / (one + other) if one + other else None
                        for one, other in zip(known, waited, strict=True)
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
    methods = ("rule", "catalogue", "fuzzy", "cleaned", "none")
    yield Plot(
        "Answers by method",
        bars(
            [
                Series(method, readings.of("answers", method), f"s{number}")
                for number, method in enumerate(methods, 1)
            ],
            times,
            step,
        ),
    )


def outcome_bars(readings: Readings, span: Span, *, of: str = "") -> SafeString:
    """Return a plot of what came of attempts: delivered, to be retried, failed for good.

    Args:
        readings: Where the counts are.
        span: Of which time.
        of: What the names of the tallies begin with; ``webhook_`` for those of one.
    """
    ended = readings.of(f"{of}deliveries", "failed")
    delivered = readings.of(f"{of}attempts", "ok")
    failed = [tried - ok for tried, ok in zip(readings.of(f"{of}attempts"), delivered, strict=True)]
    return bars(
        [
            Series("delivered", delivered, "good"),
            Series(
                "failed, to be retried",
                [max(0, one - last) for one, last in zip(failed, ended, strict=True)],
                "warn",
            ),
            Series("failed for good", ended, "bad"),
        ],
        readings.times,
        span.step,
    )


def duration_lines(readings: Readings, span: Span, name: str) -> SafeString:
    """Return a plot of durations' p50 and p95."""
    return lines(
        [
            Series("p50", readings.percentiles(name, 0.5), "s1"),
            Series("p95", readings.percentiles(name, 0.95), "s3"),
        ],
        readings.times,
        span.step,
        text=seconds_text,
        logarithmic=True,
    )


def _per(counts: list[int], minutes: float) -> list[float | None]:
    return [count / minutes for count in counts]
