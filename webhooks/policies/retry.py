"""When a failed delivery is tried again: the schedule, its jitter, and ``Retry-After``.

Pure: the time and the randomness are passed in.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

JITTER = 0.2
MAX_RETRY_AFTER = timedelta(hours=24)


def next_delay(
    *,
    attempt: int,
    schedule: Sequence[float],
    retry_after: str | None,
    now: datetime,
    rng: random.Random | None = None,
) -> timedelta | None:
    """How long to wait after a failed attempt; None when it was the last one.

    The wait is the schedule's step with a jitter of ±20 %, which keeps the deliveries that failed
    together from coming back together. The endpoint's ``Retry-After`` can only make it later: an
    endpoint that says "0" has not asked for more load than the schedule gives, and one that says
    "3600" does not get this message for that long (others: ``circuit_breaker``). Its wait is kept
    exactly, without jitter: a lower bound must not be undercut, and the limit per webhook already
    spreads what follows. It adds no attempt: after the last one there is none, whatever the header
    says.

    Args:
        attempt: the number of attempts made so far, all failed; 1 after the first.
        schedule: seconds to wait after each attempt but the last.
        retry_after: the response's header as it came, or None.
        now: the time that an HTTP date in the header is compared with; aware.
        rng: source of the jitter; by default the process's own.

    Raises:
        ValueError: `attempt` is below 1.
    """
    if attempt < 1:
        raise ValueError("attempt counts from 1")
    if attempt > len(schedule):
        return None
    factor = (rng or random).uniform(1 - JITTER, 1 + JITTER)
    scheduled = timedelta(seconds=schedule[attempt - 1] * factor)
    asked = parse_retry_after(retry_after, now)
    return scheduled if asked is None else max(scheduled, asked)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait that a ``Retry-After`` header asks for, between nothing and 24 hours.

    Both forms of RFC 9110, section 10.2.3: whole seconds, and an HTTP date (one in the past asks
    for no wait). Any other value, such as one with a sign or a fraction, is ignored.

    Args:
        value: the header as it came, or None.
        now: the present; aware.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # Ten digits are 300 years: longer numbers need not be read, nor overflow anything.
        return min(timedelta(seconds=int(text[:10])), MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000", and the asctime form, which names no zone: it is UTC
            moment = moment.replace(tzinfo=UTC)
        wait = moment - now
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return min(max(wait, timedelta(0)), MAX_RETRY_AFTER)
