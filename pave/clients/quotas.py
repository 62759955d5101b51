"""How many transactions a client may send in a month.

A client without a quota costs nothing here. That of a client with one is counted in the
transaction that takes what is counted, so that neither can be without the other.
"""

import datetime
from collections.abc import Callable

from django.db.models import F

from pave.clients.models import Client, MonthlyUse


class QuotaExceeded(Exception):
    """The client has not so many transactions left in this month.

    Args:
        left: How many it has.
        until: When the next month begins.
    """

    def __init__(self, left: int, until: datetime.datetime) -> None:
        super().__init__("quota exceeded")
        self.left = left
        self.until = until


def month_of(moment: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the beginning and the end of the calendar month (UTC) that ``moment`` is in."""
    start = moment.astimezone(datetime.UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return start, (start + datetime.timedelta(days=32)).replace(day=1)


def left(
    *,
    client: Client,
    now: datetime.datetime,
    before: Callable[[datetime.datetime], int],
) -> int | None:
    """Return how many transactions the client may still send in this month; None: any number.

    Call it before the transaction that takes them: it begins to count where the quota is new.

    Args:
        client: Who sends them.
        now: The present.
        before: Counts those since a time that nobody counted, when the quota is new.
    """
    if client.monthly_quota is None:
        return None
    start, _ = month_of(now)
    if not MonthlyUse.objects.filter(client=client, month=start.date()).exists():
        _begin(client, start, before)
    return max(0, client.monthly_quota - used(client=client, now=now))


def charge(
    *,
    client: Client,
    number: int,
    now: datetime.datetime,
    before: Callable[[datetime.datetime], int],
) -> None:
    """Count ``number`` transactions against the client's quota, if it has one.

    Call it in the transaction that takes them, late: the client's others wait for its end.

    Args:
        client: Who sends them.
        number: How many.
        now: The present.
        before: Counts those since a time that nobody counted, when the quota is new.

    Raises:
        QuotaExceeded: There are not so many left; nothing is counted.
    """
    quota = client.monthly_quota
    if quota is None:
        return
    start, end = month_of(now)
    uses = MonthlyUse.objects.filter(client=client, month=start.date())
    within = uses.filter(used__lte=quota - number)
    if within.update(used=F("used") + number):
        return
    if not uses.exists():
        _begin(client, start, before)
        if within.update(used=F("used") + number):
            return
    raise QuotaExceeded(max(0, quota - used(client=client, now=now)), end)


def _begin(
    client: Client, start: datetime.datetime, before: Callable[[datetime.datetime], int]
) -> None:
    MonthlyUse.objects.bulk_create(
        [MonthlyUse(client=client, month=start.date(), used=before(start))], ignore_conflicts=True
    )


def used(*, client: Client, now: datetime.datetime) -> int:
    """Return how many transactions are counted against the quota in this month."""
    start, _ = month_of(now)
    uses = MonthlyUse.objects.filter(client=client, month=start.date())
    return uses.values_list("used", flat=True).first() or 0
