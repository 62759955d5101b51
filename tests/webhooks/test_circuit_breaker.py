"""The health of an endpoint: the window, the breaker, and who counts as steady."""

from datetime import UTC, datetime, timedelta

import pytest

from webhooks.http.outcome import Outcome
from webhooks.policies.circuit_breaker import (
    FAILURE_THRESHOLD,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    EndpointHealth,
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


def no_response(**fields):
    return outcome(None, "timeout", ms=15_000, **fields)


def after(health, *outcomes, now=NOW, max_in_flight=8):
    for attempted in outcomes:
        health = health.after(attempted, max_in_flight=max_in_flight, now=now)
    return health


def no_responses(count, health=None):
    """The health after so many attempts without a response, one after the other."""
    health = health or EndpointHealth(window=8, steady=True)
    for number in range(count):
        moment = NOW + number * timedelta(minutes=20)
        health = after(health, no_response(started_at=moment), now=moment + SECOND)
    return health


@pytest.mark.parametrize(
    ("attempted", "verdict"),
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
            (outcome(None, error), Verdict.NO_RESPONSE)
            for error in ("timeout", "refused", "reset", "dns", "tls")
        ],
        (outcome(200, "timeout"), Verdict.NO_RESPONSE),
    ],
)
def test_what_an_attempt_says_about_the_endpoint(attempted, verdict):
    assert judge(attempted) is verdict


def test_the_window_grows_by_one_with_each_success_up_to_the_limit():
    windows = []
    health = EndpointHealth()
    for _ in range(5):
        health = after(health, outcome(), max_in_flight=4)
        windows.append(health.window)
    assert windows == [2, 3, 4, 4, 4]


def test_a_success_makes_it_steady_and_a_slow_one_does_not():
    assert after(EndpointHealth(), outcome(ms=100)).steady
    assert not after(EndpointHealth(steady=True), outcome(ms=3000)).steady


@pytest.mark.parametrize("status", [429, 502, 504])
def test_overload_halves_the_window_and_asks_for_a_pause(status):
    health = after(EndpointHealth(window=8, steady=True), outcome(status))
    assert (health.window, health.steady) == (4, False)
    assert health.is_paused(NOW + SECOND)
    assert not health.is_paused(NOW + 2 * SECOND)
    assert health.state(NOW) == "closed"


def test_the_pause_is_as_long_as_retry_after_says_within_bounds():
    pause = after(EndpointHealth(), outcome(429, retry_after="60")).paused_until
    assert pause == NOW + timedelta(seconds=60)
    pause = after(EndpointHealth(), outcome(429, retry_after="86400")).paused_until
    assert pause == NOW + LONGEST_PAUSE


def test_a_success_beside_it_does_not_end_the_pause_that_was_asked_for():
    health = after(EndpointHealth(), outcome(429, retry_after="60"), outcome(200))
    assert health.is_paused(NOW + timedelta(seconds=59))


def test_one_time_out_takes_the_window_to_one_and_leaves_the_breaker_closed():
    health = no_responses(1)
    assert (health.window, health.steady, health.failures) == (1, False, 1)
    assert health.state(NOW) == "closed"
    assert health.paused_until is None


def test_repeated_missing_responses_open_the_breaker():
    health = no_responses(FAILURE_THRESHOLD)
    assert health.opened_at is not None
    assert health.state(health.opened_at) == "open"
    assert health.paused_until == health.opened_at + FIRST_PAUSE
    assert health.state(health.paused_until) == "half-open"


def test_while_it_is_not_closed_one_message_may_be_in_flight():
    assert no_responses(FAILURE_THRESHOLD, EndpointHealth(window=8)).limit == 1


def test_attempts_without_a_response_that_were_in_flight_together_count_once():
    together = [no_response(started_at=NOW - SECOND * number) for number in range(5)]
    health = after(EndpointHealth(window=8), *together)
    assert health.failures == 1


def test_a_probe_that_fails_doubles_the_pause_up_to_a_limit():
    pauses = []
    health = no_responses(FAILURE_THRESHOLD)
    opened_at = health.opened_at
    for _ in range(8):
        moment = health.paused_until
        health = after(health, no_response(started_at=moment), now=moment + SECOND)
        pauses.append((health.paused_until - moment - SECOND).total_seconds())
    assert pauses == [20, 40, 80, 160, 320, 600, 600, 600]
    assert health.opened_at == opened_at


def test_no_response_for_ever_overflows_nothing():
    health = EndpointHealth(failures=2**31 - 2, opened_at=NOW, failed_at=NOW)
    health = after(health, no_response(started_at=NOW + SECOND), now=NOW + 2 * SECOND)
    assert health.paused_until == NOW + 2 * SECOND + LONGEST_PAUSE


@pytest.mark.parametrize("status", [200, 500, 404])
def test_a_probe_that_is_answered_closes_the_breaker(status):
    health = after(no_responses(FAILURE_THRESHOLD), outcome(status))
    assert health.state(NOW) == "closed"
    assert (health.failures, health.paused_until) == (0, None)


def test_failures_between_answers_do_not_add_up():
    health = EndpointHealth()
    for _ in range(10):
        health = no_responses(FAILURE_THRESHOLD - 1, after(health, outcome(500)))
    assert health.opened_at is None
