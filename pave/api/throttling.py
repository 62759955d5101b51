"""429, and the RateLimit fields (draft-ietf-httpapi-ratelimit-headers) of clients with a limit."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.http import HttpRequest
from rest_framework.exceptions import APIException, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from pave.api import concurrency
from pave.api.exceptions import Overloaded
from pave.clients import rate_limit
from pave.clients.models import Client
from pave.clients.quotas import QuotaExceeded

# Where a request keeps what its answer is to say: (policy, quota, window, remaining, seconds).
_FIELDS = "pave_limits"

# When one that finds too much under way may come again.
_PLACE_SECONDS = 1

Field = tuple[str, int, int, int, int]


class LimitExceeded(Throttled):
    """The client has made more requests than it may, or sent more transactions."""

    problem_type = "https://iana.org/assignments/http-problem-types#quota-exceeded"

    def __init__(self, seconds: int, detail: str) -> None:
        APIException.__init__(self, detail)
        self.wait = seconds


class RateThrottle(BaseThrottle):
    """Takes a token from the client's bucket for each request."""

    def allow_request(self, request: Request, view: object) -> bool:
        """Return True.

        Raises:
            LimitExceeded: The bucket is empty.
        """
        client = request.user
        if not isinstance(client, Client):
            return True
        taken = rate_limit.take(client=client)
        if taken is None:
            return True
        note(request, "rate", taken.size, taken.window, taken.remaining, taken.until_full)
        if not taken.allowed:
            raise LimitExceeded(
                math.ceil(taken.pause),
                f"More than {client.requests_per_minute} requests a minute. "
                f"The next one may be made in {math.ceil(taken.pause)} s.",
            )
        return True


def quota_exceeded(request: Request, error: QuotaExceeded, now: datetime) -> LimitExceeded:
    """Return the answer for a client whose quota does not suffice."""
    seconds = math.ceil((error.until - now).total_seconds())
    quota = request.user.monthly_quota  # type: ignore[union-attr]  # a client
    note(request, "quota", quota, _month_seconds(error.until), error.left, seconds)
    return LimitExceeded(
        seconds,
        f"The quota of {quota:,} transactions a month does not suffice: {error.left:,} are left "
        f"until {error.until:%Y-%m-%d}. Nothing was taken.",
    )


def note(
    request: Request, policy: str, quota: int, window: int, remaining: int, seconds: float
) -> None:
    """Have the answer say how much of a limit is left."""
    fields = request._request.__dict__.setdefault(_FIELDS, [])
    fields.append((policy, quota, window, remaining, math.ceil(seconds)))


def noted(request: HttpRequest) -> list[Field]:
    """Return what the answer to a request is to say."""
    return request.__dict__.get(_FIELDS, [])


def _month_seconds(end: datetime) -> int:
    last = end.replace(day=1)
    start = last.replace(
        year=last.year - (last.month == 1), month=12 if last.month == 1 else last.month - 1
    )
    return int((last - start).total_seconds())


@contextmanager
def bounded() -> Iterator[None]:
    """Answer for who finds no place in the body (``places``): 429, or 503 if others have all.

    Raises:
        Throttled: The client has as many places as it may.
        Overloaded: Others have them.
    """
    try:
        yield
    except concurrency.Full as error:
        raise Overloaded(_PLACE_SECONDS, str(error)) from error
    except concurrency.Busy as error:
        raise Throttled(_PLACE_SECONDS, str(error)) from error
