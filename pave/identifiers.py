"""Ids that clients see."""

from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """Return a new UUID version 7 (RFC 9562).

    It begins with the time, so that the rows of a day lie together in an index: inserts touch the
    index's end however large the table is, and ordering by id is ordering by age.
    """
    return uuid_utils.compat.uuid7()
