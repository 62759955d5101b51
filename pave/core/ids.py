"""Ids that clients see."""

import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pave.core import clock

_MILLISECONDS_BITS = 48
# Of a millisecond.
_FRACTIONS = 2**12
# An id may be created a while after its row's ``created_at``, as for a batch.
_SLACK = timedelta(hours=1)
# How far the clock may be set back, in fractions, before ids follow it: a second.
_CORRECTION = 1000 * _FRACTIONS

# The moment of this process's last id, in fractions.
_last = 0


def new_id() -> UUID:
    """Return a new UUID version 7 (RFC 9562).

    It begins with the time, so inserts touch only the end of an index however large the table is,
    and ordering by id is ordering by age. Libraries take the machine's time for it, and not
    ``clock``'s. The bits after the milliseconds are fractions of one (section 6.2, method 3); of
    two ids of one moment the second has the next fraction.
    """
    global _last
    moment = int(clock.timestamp() * 1000 * _FRACTIONS)
    if _last - _CORRECTION < moment <= _last:
        moment = _last + 1
    _last = moment
    milliseconds, fraction = divmod(moment, _FRACTIONS)
    return UUID(int=_first_of(milliseconds) | fraction << 64 | secrets.randbits(62))


def first_id_at(moment: datetime) -> UUID:
    """Return the smallest id that can have been created at ``moment`` or later."""
    milliseconds = min(max(int(moment.timestamp() * 1000), 0), 2**_MILLISECONDS_BITS - 1)
    return UUID(int=_first_of(milliseconds))


def created_within(since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """Return lookups for rows that were created in a window of time.

    ``created_at`` decides; the ids only narrow the range of the index that is read.

    Args:
        since: The start of the window; None if it has none.
        until: The end of the window, exclusive; None if it has none.
    """
    lookups: dict[str, Any] = {}
    if since:
        lookups |= {"created_at__gte": since, "id__gte": first_id_at(_shifted(since, -_SLACK))}
    if until:
        lookups |= {"created_at__lt": until, "id__lt": first_id_at(_shifted(until, _SLACK))}
    return lookups


def _shifted(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return moment


def _first_of(milliseconds: int) -> int:
    return milliseconds << 80 | 7 << 76 | 2 << 62
