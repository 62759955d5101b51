"""429, and the RateLimit fields (draft-ietf-httpapi-ratelimit-headers) of clients with a limit."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.http import HttpRequest
from rest_framework.exceptions import APIException, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from pave.api.exceptions import Overloaded
from pave.clients import rate_limit
from pave.clients.models import Client
from pave.clients.quotas import QuotaExceeded
from pave.core import concurrency

# The attribute of a request that holds the fields of its response.
_ATTRIBUTE = "pave_limits"

# Retry-After of a request refused for too many concurrent ones.
_SLOT_RETRY_SECONDS = 1

# Policy, quota, window, remaining, seconds until it is reset.
Field = tuple[str, int, int, int, int]


class LimitExceeded(Throttled):
    """The client has reached its rate limit, its quota, or another limit of its own."""

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
        bucket = rate_limit.take(client=client)
        if bucket is None:
            return True
        record_limit(
            request, "rate", bucket.size, bucket.window, bucket.remaining, bucket.until_full
        )
        if not bucket.allowed:
            raise LimitExceeded(
                math.ceil(bucket.pause),
                f"More than {client.requests_per_minute} requests a minute. "
                f"The next one may be made in {math.ceil(bucket.pause)} s.",
            )
        return True


def quota_exceeded(request: Request, error: QuotaExceeded, now: datetime) -> LimitExceeded:
    """Return the error for a client whose quota does not suffice."""
    start, end = error.month
    # The month may have ended while the transactions were read.
    seconds = max(1, math.ceil((end - now).total_seconds()))
    window = int((end - start).total_seconds())
    record_limit(request, "quota", error.quota, window, error.left, seconds)
    return LimitExceeded(
        seconds,
        f"The quota of {error.quota:,} transactions a month does not suffice: "
        f"{error.left:,} are left until {end:%Y-%m-%d}. Nothing was taken.",
    )


def record_limit(
    request: Request, policy: str, quota: int, window: int, remaining: int, seconds: float
) -> None:
    """Record a limit for the RateLimit fields of the response."""
    fields = request._request.__dict__.setdefault(_ATTRIBUTE, [])
    fields.append((policy, quota, window, remaining, math.ceil(seconds)))


def recorded_limits(request: HttpRequest) -> list[Field]:
    """Return the limits recorded for the response to a request."""
    return request.__dict__.get(_ATTRIBUTE, [])


@contextmanager
def limit_errors() -> Iterator[None]:
    """Answer 429 if the client's concurrency limit is reached in the block, 503 if that of all is.

    Raises:
        LimitExceeded: The client is at its limit.
        Overloaded: The limit of all clients is reached.
    """
    try:
        yield
    except concurrency.Full as error:
        raise Overloaded(_SLOT_RETRY_SECONDS, str(error)) from error
    except concurrency.Busy as error:
        raise LimitExceeded(_SLOT_RETRY_SECONDS, str(error)) from error
