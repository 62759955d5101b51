"""Counters as time series: counts in the steps of a span of time."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import ExtractMinute, Floor, TruncHour, TruncMinute

from pave.operations.models import Tally
from pave.operations.monitoring import counters
from pave.staff.widgets import Span


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Counts by name and label, one for each step.

    Args:
        times: The beginnings of the steps.
        counts: name -> label -> counts.
    """

    times: Sequence[datetime]
    counts: dict[str, dict[str, list[int]]]

    def of(self, name: str, *labels: str) -> list[int]:
        """Return the counts of some labels of a name in sum; without labels, of all."""
        rows = self.counts.get(name, {})
        rows_of_labels = [rows[label] for label in (labels or rows) if label in rows]
        return [sum(row[index] for row in rows_of_labels) for index in range(len(self.times))]

    def sum(self, name: str, *labels: str) -> int:
        """Return a count over the whole span."""
        return sum(self.of(name, *labels))

    def percentiles(self, name: str, share: float) -> list[float | None]:
        """Return a percentile of durations for each step."""
        rows = self.counts.get(name, {})
        return [
            counters.percentile({label: row[index] for label, row in rows.items()}, share)
            for index in range(len(self.times))
        ]

    def percentile(self, name: str, share: float) -> float | None:
        """Return a percentile of durations over the whole span."""
        rows = self.counts.get(name, {})
        return counters.percentile({label: sum(row) for label, row in rows.items()}, share)


def read(
    span: Span, now: datetime, *, names: Collection[str], subject: str | None = None
) -> TimeSeries:
    """Return the counts of a span.

    Args:
        span: The span of time.
        now: Its end.
        names: Of the counters.
        subject: Of which webhook; None for all in sum.
    """
    times = span.times(now.astimezone(UTC))
    rows = Tally.objects.filter(name__in=names, at__gte=times[0])
    if subject is not None:
        rows = rows.filter(subject=subject)
    grouped = _grouped(rows.order_by(), span.step)
    counts: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for row in grouped:
        start = row["hour"] + timedelta(minutes=int(row.get("minutes", 0)))
        index = int((start - times[0]) / span.step)
        if 0 <= index < len(times):
            steps = counts[row["name"]].setdefault(row["label"], [0] * len(times))
            steps[index] += row["counted"]
    return TimeSeries(times, counts)


def _grouped(rows: QuerySet[Tally], step: timedelta) -> Any:
    """Sum rows up by step, in the database."""
    by: dict[str, Any] = {"hour": TruncHour("at", tzinfo=UTC)}
    if step == timedelta(minutes=1):
        by["hour"] = TruncMinute("at", tzinfo=UTC)
    elif step < timedelta(hours=1):
        minutes = int(step.total_seconds() // 60)
        by["minutes"] = Floor(ExtractMinute("at", tzinfo=UTC) / minutes) * minutes
    return rows.annotate(**by).values("name", "label", *by).annotate(counted=Sum("count"))
