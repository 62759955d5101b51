"""Monthly quotas: how many transactions a client may send.

A client without a quota costs nothing. Otherwise usage is counted in the database transaction that
accepts the client's transactions, so that both commit or neither.
"""

import datetime
from collections.abc import Callable

from django.db import transaction
from django.db.models import F

from pave.clients.models import Client, MonthlyUse
from pave.core.database import advisory_locks

Month = tuple[datetime.datetime, datetime.datetime]


class QuotaExceeded(Exception):
    """The client's quota does not allow so many transactions in this month.

    Args:
        quota: The quota.
        left: How many it allows.
        month: Start and end of the month.
    """

    def __init__(self, quota: int, left: int, month: Month) -> None:
        super().__init__("quota exceeded")
        self.quota = quota
        self.left = left
        self.month = month


def month_of(moment: datetime.datetime) -> Month:
    """Return the start and the end of the calendar month (UTC) of ``moment``."""
    start = moment.astimezone(datetime.UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return start, (start + datetime.timedelta(days=32)).replace(day=1)


def remaining(
    *,
    client: Client,
    now: datetime.datetime,
    count_since: Callable[[datetime.datetime], int],
) -> int | None:
    """Return how many transactions the client may still send in this month; None: any number.

    Call it before the database transaction that accepts them: it starts the count of a new quota.

    Args:
        client: Who sends them.
        now: The present.
        count_since: Returns the number of transactions since a time, for a new quota.
    """
    if client.monthly_quota is None:
        return None
    start, _ = month_of(now)
    if not MonthlyUse.objects.filter(client=client, month=start.date()).exists():
        _start_counting(client, start, count_since)
    return max(0, client.monthly_quota - (used(client=client, now=now) or 0))


def charge(
    *,
    client: Client,
    number: int,
    now: datetime.datetime,
    count_since: Callable[[datetime.datetime], int],
    written: int = 0,
) -> None:
    """Count ``number`` transactions against the client's quota, if it has one.

    Call it late in the database transaction that accepts them: it blocks the client's other
    requests until the end.

    Args:
        client: Who sends them.
        number: How many.
        now: The present.
        count_since: Returns the number of transactions since a time, for a new quota.
        written: How many of these the open transaction has written already.

    Raises:
        QuotaExceeded: The quota does not allow them; nothing is counted.
    """
    quota = client.monthly_quota
    if quota is None:
        return
    month = start, _ = month_of(now)
    uses = MonthlyUse.objects.filter(client=client, month=start.date())
    within_quota = uses.filter(used__lte=quota - number)
    if within_quota.update(used=F("used") + number):
        return
    if not uses.exists():
        _start_counting(client, start, lambda start: max(0, count_since(start) - written))
    # Also where another has begun the count since the first look.
    if within_quota.update(used=F("used") + number):
        return
    raise QuotaExceeded(quota, max(0, quota - (used(client=client, now=now) or 0)), month)


def _start_counting(
    client: Client, start: datetime.datetime, count_since: Callable[[datetime.datetime], int]
) -> None:
    with transaction.atomic():
        # One counts, which takes a while, and the others find what it has counted.
        advisory_locks.take_for(advisory_locks.Lock.STARTING_COUNT, client.pk)
        if not MonthlyUse.objects.filter(client=client, month=start.date()).exists():
            MonthlyUse.objects.bulk_create(
                [MonthlyUse(client=client, month=start.date(), used=count_since(start))],
                ignore_conflicts=True,
            )


def begin_anew(*, client: Client, now: datetime.datetime) -> None:
    """Have what was sent this month without a quota count against one that the client has now."""
    start, _ = month_of(now)
    MonthlyUse.objects.filter(client=client, month=start.date()).delete()


def used(*, client: Client, now: datetime.datetime) -> int | None:
    """Return how many transactions count against the quota in this month.

    None where the count of a new quota, or of a new month, has not begun.
    """
    start, _ = month_of(now)
    uses = MonthlyUse.objects.filter(client=client, month=start.date())
    return uses.values_list("used", flat=True).first()
