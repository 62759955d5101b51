"""Ids that clients see."""

from datetime import datetime
from uuid import UUID

import uuid_utils.compat

_MILLISECONDS_BITS = 48


def new_id() -> UUID:
    """Return a new UUID version 7 (RFC 9562).

    It begins with the time, so inserts touch only the end of an index however large the table is,
    and ordering by id is ordering by age.
    """
    return uuid_utils.compat.uuid7()


def first_id_at(moment: datetime) -> UUID:
    """Return the smallest id that can have been created at ``moment`` or later."""
    milliseconds = min(max(int(moment.timestamp() * 1000), 0), 2**_MILLISECONDS_BITS - 1)
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62)
