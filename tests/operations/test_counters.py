from datetime import timedelta

import pytest
from django.utils import timezone

from pave.operations.models import Tally
from pave.operations.monitoring import counters

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


def counted(now, **counts):
    counter = counters.Counter(now)
    for label, count in counts.items():
        counter.add("requests", label, count=count)
    counter.write()


def sums():
    return {(name, label): count for name, label, count, _ in counters.totals()}


def test_rolling_up_changes_no_sum():
    now = timezone.now()
    for minutes in (0, 5, 10, 2000, 2001, 4000):
        for _ in range(3):
            counted(now - timedelta(minutes=minutes), completed=2, failed=1)
    before = sums()
    counters.roll_up(now=now)
    counters.roll_up(now=now)
    assert sums() == before == {("requests", "completed"): 36, ("requests", "failed"): 18}


def test_rolling_up_leaves_one_row_a_minute_and_later_one_an_hour():
    now = timezone.now().replace(minute=30)
    for minutes in (10, 2000, 2001):
        for _ in range(3):
            counted(now - timedelta(minutes=minutes), completed=1)
    counters.roll_up(now=now)
    assert Tally.objects.filter(at__gte=now - timedelta(hours=1)).count() == 1
    assert Tally.objects.filter(at__lt=now - timedelta(hours=1)).count() == 1


def test_the_present_minute_is_not_rolled_up():
    now = timezone.now()
    counted(now, completed=1)
    counted(now, completed=1)
    counters.roll_up(now=now)
    assert Tally.objects.count() == 2


def test_a_percentile_is_the_bound_of_its_bucket():
    now = timezone.now()
    counter = counters.Counter(now)
    for seconds in [0.02] * 90 + [0.7] * 9 + [9999]:
        counter.observe("wait_seconds", seconds)
    counter.write()
    counts = {label: count for _, label, count, _ in counters.totals()}
    assert counters.percentile(counts, 0.5) == 0.025
    assert counters.percentile(counts, 0.95) == 1
    assert counters.percentile(counts, 1) == float("inf")
    assert counters.percentile({}, 0.5) is None
