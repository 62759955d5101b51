"""Times as clients see them."""

from datetime import datetime


def time_text(moment: datetime) -> str:
    """Return a time in UTC as RFC 3339 has it."""
    return moment.isoformat().replace("+00:00", "Z")
