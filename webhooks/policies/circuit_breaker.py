"""How an endpoint does, and what that means for how much is sent to it. Pure.

Two things are kept apart. The *window* is how many messages an endpoint is trusted with at once:
one at first, one more with each success, half as many when it says that it is overloaded, one
after a time-out. The *breaker* opens when an endpoint does not answer at all, several times in a
row: then it is left alone, and its deliveries wait without losing an attempt. When the pause is
over one message goes out as a probe. If it is answered the breaker closes; if not, the next pause
is twice as long.

Beside these, an endpoint is *steady* if its last answer came, and came soon. Those that are not,
since they are slow or silent, share a part of each sender's threads, and so do new ones, of which
nothing is known yet: however many of them hang, there are threads for the others.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from webhooks.http.outcome import ErrorClass, Outcome
from webhooks.policies.retry import parse_retry_after

# Silences in a row that open the breaker.
THRESHOLD = 3
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
# How long an endpoint is left alone that says it is overloaded, and not for how long it is.
BUSY_PAUSE = timedelta(seconds=2)
# An answer that takes longer is late, in milliseconds.
LATE_MS = 2000

_BUSY = frozenset({429, 502, 504})
_UNAVAILABLE = 503
_SILENT = frozenset(
    {ErrorClass.DNS, ErrorClass.REFUSED, ErrorClass.RESET, ErrorClass.TIMEOUT, ErrorClass.TLS}
)


class Verdict(StrEnum):
    """What an attempt tells of the endpoint, the message set aside."""

    GOOD = "good"
    ANSWERED = "answered"  # a failure, but the endpoint is there
    BUSY = "busy"  # it asks for less
    SILENT = "silent"  # it is not there, or too slow to tell


def judge(outcome: Outcome) -> Verdict:
    """Return what an attempt tells of the endpoint."""
    if outcome.ok:
        return Verdict.GOOD
    if outcome.status in _BUSY:
        return Verdict.BUSY
    if outcome.status == _UNAVAILABLE and "retry-after" in outcome.response_headers:
        return Verdict.BUSY
    return Verdict.SILENT if outcome.error in _SILENT else Verdict.ANSWERED


class BreakerState(StrEnum):
    """Whether an endpoint gets messages; half-open: one at a time, to see how it does."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Condition:
    """How an endpoint does.

    Attributes:
        window: messages it is trusted with at once.
        steady: whether its last answer came, and came soon; None if nothing is known yet.
        failures: silences in a row. Attempts that were under way together count once.
        failed_at: when the last one that counts was noted.
        opened_at: when the breaker opened; None while it is closed.
        paused_until: until when the endpoint is left alone.
    """

    window: int = 1
    steady: bool | None = None
    failures: int = 0
    failed_at: datetime | None = None
    opened_at: datetime | None = None
    paused_until: datetime | None = None

    @property
    def limit(self) -> int:
        """How many messages may be under way: one as long as the breaker is not closed."""
        return 1 if self.opened_at else self.window

    def is_paused(self, now: datetime) -> bool:
        """Whether the endpoint is to be left alone."""
        return self.paused_until is not None and self.paused_until > now

    def state(self, now: datetime) -> BreakerState:
        """The breaker's state."""
        if self.opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.is_paused(now) else BreakerState.HALF_OPEN

    def after(self, outcome: Outcome, *, max_in_flight: int, now: datetime) -> "Condition":
        """Return how the endpoint does after one more attempt.

        Args:
            outcome: what came of it.
            max_in_flight: what the webhook allows at most.
            now: when that is noted.
        """
        verdict = judge(outcome)
        if verdict is Verdict.SILENT:
            return self._after_silence(outcome, now)
        answered = replace(
            self,
            steady=outcome.duration_ms < LATE_MS,
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

    def _after_silence(self, outcome: Outcome, now: datetime) -> "Condition":
        silent = replace(self, window=1, steady=False)
        if self.failed_at is not None and outcome.started_at < self.failed_at:
            return silent  # it was under way beside one that has counted
        failures = self.failures + 1
        if failures < THRESHOLD and self.opened_at is None:
            return replace(silent, failures=failures, failed_at=now)
        doublings = min(max(failures - THRESHOLD, 0), 16)
        return replace(
            silent,
            failures=failures,
            failed_at=now,
            opened_at=self.opened_at or now,
            paused_until=now + min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE),
        )


def full_window(max_in_flight: int) -> int:
    """Return the widest window of an endpoint; ``max_in_flight`` still limits what is sent."""
    return max(2, max_in_flight)
