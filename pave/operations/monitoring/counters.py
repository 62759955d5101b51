"""Counters that are exact across processes and do not block them.

Counts are inserted in the transaction of what they count, so they stay exact when a process dies.
The supervisor rolls old ones up, so that a plot of a week reads some thousands of rows whatever the
traffic was.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncHour

from pave.operations.models import Tally

# Upper bounds of the histogram buckets for durations, in seconds. Each is about twice the
# one before: a percentile read from them is right to a factor of two or better.
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
BEYOND = "inf"

# Minutes are kept for the plot of a day, hours for ever.
MINUTES_KEPT = timedelta(hours=26)
# Subjects are many, so theirs are kept in longer steps, under names of their own: totals over all
# of them are not read from these.
SUBJECT_MINUTES = 5
# Nothing is counted for a minute after this time.
CLOSED_AFTER = timedelta(minutes=3)
# Minutes, and hours, rolled up in one run.
ROLL_UP_BATCH = 10


class Counter:
    """Counts of one batch of work, to be written with it.

    Args:
        now: When it happened.
    """

    def __init__(self, now: datetime) -> None:
        self._at = now.replace(second=0, microsecond=0)
        self._sums: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0])

    def add(
        self, name: str, label: str = "", *, subject: str = "", count: int = 1, total: float = 0
    ) -> None:
        """Count ``name`` ``count`` times, with ``total`` as the sum of its measured values."""
        sums = self._sums[name, label, subject]
        sums[0] += count
        sums[1] += total

    def observe(self, name: str, seconds: float, *, subject: str = "") -> None:
        """Count a duration in its histogram bucket."""
        index = bisect_left(BOUNDS, seconds)
        label = f"{BOUNDS[index]:g}" if index < len(BOUNDS) else BEYOND
        self.add(name, label, subject=subject, total=seconds)

    def write(self) -> None:
        """Write the counts, in one statement; call it in the transaction of the work."""
        Tally.objects.bulk_create(
            [
                Tally(
                    at=self._at_of(subject),
                    name=name,
                    label=label,
                    subject=subject,
                    count=int(count),
                    total=total,
                )
                for (name, label, subject), (count, total) in self._sums.items()
                if count
            ]
        )
        self._sums.clear()

    def _at_of(self, subject: str) -> datetime:
        """Return the minute, or for one of many subjects the beginning of a longer step."""
        if not subject:
            return self._at
        return self._at.replace(minute=self._at.minute // SUBJECT_MINUTES * SUBJECT_MINUTES)


def percentile(counts: dict[str, int], share: float) -> float | None:
    """Return a duration that ``share`` of those counted do not exceed, in seconds.

    Args:
        counts: Counts by bucket, as ``observe`` labels them.
        share: Such as 0.95.

    Returns:
        The upper bound of its bucket; None without counts.
    """
    rank = share * sum(counts.values())
    if not rank:
        return None
    seen = 0
    for bound in BOUNDS:
        seen += counts.get(f"{bound:g}", 0)
        if seen >= rank:
            return bound
    return float("inf")


def totals() -> Iterable[tuple[str, str, int, float]]:
    """Return name, label, count and total of all counters, but for single subjects."""
    return (
        Tally.objects.filter(subject="")
        .order_by()
        .values_list("name", "label")
        .annotate(Sum("count"), Sum("total"))
        .order_by("name", "label")
    )


def roll_up(*, now: datetime) -> None:
    """Make one row of the rows of a minute, and later of an hour, that differ only in counts."""
    minutes_to_roll_up = (
        Tally.objects.filter(folded=False, at__lt=now - CLOSED_AFTER)
        .order_by("at")
        .values_list("at", flat=True)
        .distinct()[:ROLL_UP_BATCH]
    )
    for minute in list(minutes_to_roll_up):
        _roll_up_into(minute, [minute])
    old = (now - MINUTES_KEPT).replace(minute=0, second=0, microsecond=0)
    hours = (
        # Only so far back: minutes that were not rolled up during an idle week do no harm.
        Tally.objects.filter(folded=True, at__lt=old, at__gte=old - timedelta(days=8))
        .annotate(hour=TruncHour("at"))
        .values("hour")
        .annotate(last=Max("at"), rows=Count("pk"))
        .order_by("-hour")
    )
    for row in hours[:ROLL_UP_BATCH]:
        if row["last"] != row["hour"]:
            minutes = [row["hour"] + timedelta(minutes=minute) for minute in range(60)]
            _roll_up_into(row["hour"], minutes)


def _roll_up_into(at: datetime, minutes: Sequence[datetime]) -> None:
    with transaction.atomic():
        # Locked, so that two supervisors cannot count the same rows twice.
        rows = list(Tally.objects.filter(at__in=minutes).select_for_update().order_by("pk"))
        sums: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0])
        for row in rows:
            sums[row.name, row.label, row.subject][0] += row.count
            sums[row.name, row.label, row.subject][1] += row.total
        Tally.objects.filter(pk__in=[row.pk for row in rows]).delete()
        Tally.objects.bulk_create(
            [
                Tally(
                    at=at,
                    name=name,
                    label=label,
                    subject=subject,
                    count=int(count),
                    total=total,
                    folded=True,
                )
                for (name, label, subject), (count, total) in sums.items()
            ]
        )
