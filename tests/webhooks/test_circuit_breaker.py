"""How an endpoint does: the window, the breaker, and who counts as steady."""

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.http.outcome import Outcome
from webhooks.policies.circuit_breaker import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    THRESHOLD,
    Condition,
    Verdict,
    judge,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def outcome(status=200, error="", *, ms=10, started_at=NOW, **headers):
    return Outcome(
        ok=not error and status is not None and 200 <= status < 300,
        status=status,
        error=error or ("" if status and 200 <= status < 300 else "http"),
        detail="",
        started_at=started_at,
        duration_ms=ms,
        resolved_address=None,
        response_headers={name.replace("_", "-"): value for name, value in headers.items()},
        response_head="",
        timings={},
    )


def silence(**fields):
    return outcome(None, "timeout", ms=15_000, **fields)


def after(condition, *outcomes, now=NOW, max_in_flight=8):
    for one in outcomes:
        condition = condition.after(one, max_in_flight=max_in_flight, now=now)
    return condition


def silences(count, condition=None):
    """The condition after so many silences, each begun when the one before was over."""
    condition = condition or Condition(window=8, steady=True)
    for number in range(count):
        moment = NOW + number * timedelta(minutes=20)
        condition = after(condition, silence(started_at=moment), now=moment + SECOND)
    return condition


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (outcome(204), Verdict.GOOD),
        (outcome(500), Verdict.ANSWERED),
        (outcome(410), Verdict.ANSWERED),
        (outcome(302, "redirect"), Verdict.ANSWERED),
        (outcome(200, "too_large"), Verdict.ANSWERED),
        (outcome(None, "blocked"), Verdict.ANSWERED),
        (outcome(429), Verdict.BUSY),
        (outcome(502), Verdict.BUSY),
        (outcome(504), Verdict.BUSY),
        (outcome(503), Verdict.ANSWERED),
        (outcome(503, retry_after="10"), Verdict.BUSY),
        *[
            (outcome(None, error), Verdict.SILENT)
            for error in ("timeout", "refused", "reset", "dns", "tls")
        ],
        (outcome(200, "timeout"), Verdict.SILENT),
    ],
)
def test_what_an_attempt_tells_of_the_endpoint(one, verdict):
    assert judge(one) is verdict


def test_the_window_grows_by_one_with_each_success_up_to_the_limit():
    windows = []
    condition = Condition()
    for _ in range(5):
        condition = after(condition, outcome(), max_in_flight=4)
        windows.append(condition.window)
    assert windows == [2, 3, 4, 4, 4]


def test_a_success_makes_it_steady_and_a_late_one_does_not():
    assert after(Condition(), outcome(ms=100)).steady
    assert not after(Condition(steady=True), outcome(ms=3000)).steady


@pytest.mark.parametrize("status", [429, 502, 504])
def test_overload_halves_the_window_and_asks_for_a_pause(status):
    condition = after(Condition(window=8, steady=True), outcome(status))
    assert (condition.window, condition.steady) == (4, False)
    assert condition.is_paused(NOW + SECOND)
    assert not condition.is_paused(NOW + 2 * SECOND)
    assert condition.state(NOW) == "closed"


def test_the_pause_is_as_long_as_retry_after_says_within_bounds():
    pause = after(Condition(), outcome(429, retry_after="60")).paused_until
    assert pause == NOW + timedelta(seconds=60)
    pause = after(Condition(), outcome(429, retry_after="86400")).paused_until
    assert pause == NOW + LONGEST_PAUSE


def test_a_success_beside_it_does_not_end_the_pause_that_was_asked_for():
    condition = after(Condition(), outcome(429, retry_after="60"), outcome(200))
    assert condition.is_paused(NOW + timedelta(seconds=59))


def test_one_time_out_takes_the_window_to_one_and_leaves_the_breaker_closed():
    condition = silences(1)
    assert (condition.window, condition.steady, condition.failures) == (1, False, 1)
    assert condition.state(NOW) == "closed"
    assert condition.paused_until is None


def test_repeated_silences_open_the_breaker():
    condition = silences(THRESHOLD)
    assert condition.opened_at is not None
    assert condition.state(condition.opened_at) == "open"
    assert condition.paused_until == condition.opened_at + FIRST_PAUSE
    assert condition.state(condition.paused_until) == "half-open"


def test_while_it_is_not_closed_one_message_may_be_under_way():
    assert silences(THRESHOLD, Condition(window=8)).limit == 1


def test_silences_of_attempts_that_were_under_way_together_count_once():
    together = [silence(started_at=NOW - SECOND * number) for number in range(5)]
    condition = after(Condition(window=8), *together)
    assert condition.failures == 1


def test_a_probe_that_fails_doubles_the_pause_up_to_a_limit():
    pauses = []
    condition = silences(THRESHOLD)
    opened_at = condition.opened_at
    for _ in range(8):
        moment = condition.paused_until
        condition = after(condition, silence(started_at=moment), now=moment + SECOND)
        pauses.append((condition.paused_until - moment - SECOND).total_seconds())
    assert pauses == [20, 40, 80, 160, 320, 600, 600, 600]
    assert condition.opened_at == opened_at


def test_silent_for_ever_overflows_nothing():
    condition = Condition(failures=2**31 - 2, opened_at=NOW, failed_at=NOW)
    condition = after(condition, silence(started_at=NOW + SECOND), now=NOW + 2 * SECOND)
    assert condition.paused_until == NOW + 2 * SECOND + LONGEST_PAUSE


@pytest.mark.parametrize("status", [200, 500, 404])
def test_a_probe_that_is_answered_closes_the_breaker(status):
    condition = after(silences(THRESHOLD), outcome(status))
    assert condition.state(NOW) == "closed"
    assert (condition.failures, condition.paused_until) == (0, None)


def test_failures_between_answers_do_not_add_up():
    condition = Condition()
    for _ in range(10):
        condition = silences(THRESHOLD - 1, after(condition, outcome(500)))
    assert condition.opened_at is None
