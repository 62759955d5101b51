"""An endpoint's health, and how much may be sent to it. Pure.

There are two mechanisms. The *window* is how many messages an endpoint is trusted with at once: one
at first, one more with each success, half as many when it says that it is overloaded, one after a
time-out. The *breaker* opens when an endpoint does not answer at all, several times in a row: then
nothing is sent for a while, and deliveries wait without losing an attempt. When the pause is over
one message goes out as a probe. If it is answered the breaker closes; if not, the next pause is
twice as long.

An endpoint is *steady* if its last response came, and came soon. Those that are slow or do not
respond share a part of each dispatcher's threads, and so do new ones, of which nothing is known
yet: however many of them hang, there are threads for the others.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from webhooks.http.outcome import ErrorClass, Outcome
from webhooks.policies.retry import parse_retry_after

# Attempts without a response, in a row, that open the breaker.
FAILURE_THRESHOLD = 3
FIRST_PAUSE = timedelta(seconds=10)
# Also where the endpoint asks for more (Retry-After); the message itself waits for as long.
LONGEST_PAUSE = timedelta(minutes=10)
# The pause for an endpoint that says it is overloaded without saying for how long.
BUSY_PAUSE = timedelta(seconds=2)
# A response that takes longer is slow, in milliseconds.
SLOW_MS = 2000

_BUSY = frozenset({429, 502, 504})
_UNAVAILABLE = 503
_NO_RESPONSE = frozenset(
    {ErrorClass.DNS, ErrorClass.REFUSED, ErrorClass.RESET, ErrorClass.TIMEOUT, ErrorClass.TLS}
)


class Verdict(StrEnum):
    """What an attempt says about the endpoint, whatever the message was."""

    GOOD = "good"
    ANSWERED = "answered"  # a failure, but the endpoint responds
    BUSY = "busy"  # overloaded
    NO_RESPONSE = "no_response"  # unreachable or timed out


def judge(outcome: Outcome) -> Verdict:
    """Return what an attempt says about the endpoint."""
    if outcome.ok:
        return Verdict.GOOD
    if outcome.status in _BUSY:
        return Verdict.BUSY
    if outcome.status == _UNAVAILABLE and "retry-after" in outcome.response_headers:
        return Verdict.BUSY
    return Verdict.NO_RESPONSE if outcome.error in _NO_RESPONSE else Verdict.ANSWERED


class BreakerState(StrEnum):
    """Whether an endpoint gets messages; half-open: one at a time, to see how it does."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """An endpoint's health.

    Attributes:
        window: messages it may be sent at once.
        steady: whether its last response came, and came soon; None if nothing is known yet.
        failures: attempts without a response, in a row. Those that were in flight together count
            once.
        failed_at: when the last one that counts was recorded.
        opened_at: when the breaker opened; None while it is closed.
        paused_until: until when nothing is sent to the endpoint.
    """

    window: int = 1
    steady: bool | None = None
    failures: int = 0
    failed_at: datetime | None = None
    opened_at: datetime | None = None
    paused_until: datetime | None = None

    @property
    def limit(self) -> int:
        """How many messages may be in flight: one as long as the breaker is not closed."""
        return 1 if self.opened_at else self.window

    def is_paused(self, now: datetime) -> bool:
        """Whether nothing may be sent to the endpoint now."""
        return self.paused_until is not None and self.paused_until > now

    def state(self, now: datetime) -> BreakerState:
        """The breaker's state."""
        if self.opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.is_paused(now) else BreakerState.HALF_OPEN

    def after(self, outcome: Outcome, *, max_in_flight: int, now: datetime) -> "EndpointHealth":
        """Return the health after one more attempt.

        Args:
            outcome: of the attempt.
            max_in_flight: the webhook's limit.
            now: when it is recorded.
        """
        verdict = judge(outcome)
        if verdict is Verdict.NO_RESPONSE:
            return self._after_no_response(outcome, now)
        answered = replace(
            self,
            steady=outcome.duration_ms < SLOW_MS,
            failures=0,
            failed_at=None,
            opened_at=None,
            # A pause that the breaker made is over; one that the endpoint asked for is not.
            paused_until=None if self.opened_at else self.paused_until,
        )
        if verdict is Verdict.GOOD:
            return replace(answered, window=min(self.window + 1, full_window(max_in_flight)))
        if verdict is Verdict.BUSY:
            asked = parse_retry_after(outcome.response_headers.get("retry-after"), now)
            pause = min(max(asked or BUSY_PAUSE, BUSY_PAUSE), LONGEST_PAUSE)
            return replace(
                answered,
                steady=False,
                window=max(1, self.window // 2),
                paused_until=max(now + pause, answered.paused_until or now),
            )
        return answered

    def _after_no_response(self, outcome: Outcome, now: datetime) -> "EndpointHealth":
        unresponsive = replace(self, window=1, steady=False)
        if self.failed_at is not None and outcome.started_at < self.failed_at:
            return unresponsive  # it was in flight beside one that has counted
        failures = self.failures + 1
        if failures < FAILURE_THRESHOLD and self.opened_at is None:
            return replace(unresponsive, failures=failures, failed_at=now)
        doublings = min(max(failures - FAILURE_THRESHOLD, 0), 16)
        return replace(
            unresponsive,
            failures=failures,
            failed_at=now,
            opened_at=self.opened_at or now,
            paused_until=now + min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE),
        )


def full_window(max_in_flight: int) -> int:
    """Return the widest window of an endpoint; ``max_in_flight`` still limits what is sent."""
    return max(2, max_in_flight)
