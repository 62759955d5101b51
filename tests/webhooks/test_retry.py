import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.conf import settings

from webhooks.policies.retry import next_delay, parse_retry_after

SCHEDULE = settings.PAVE_WEBHOOK_RETRY_SCHEDULE
NOW = datetime(1994, 11, 6, 8, 0, tzinfo=UTC)


def delay(attempt: int = 1, retry_after: str | None = None, seed: int = 1) -> timedelta | None:
    return next_delay(
        attempt=attempt,
        schedule=SCHEDULE,
        retry_after=retry_after,
        now=NOW,
        rng=random.Random(seed),
    )


def test_ten_attempts_over_three_days() -> None:
    delays = [delay(attempt) for attempt in range(1, 11)]
    assert None not in delays[:9]
    assert delays[9] is None
    assert timedelta(days=3) < timedelta(seconds=sum(SCHEDULE)) < timedelta(days=4)


@pytest.mark.parametrize("attempt", range(1, 10))
def test_jitter_stays_within_a_fifth(attempt: int) -> None:
    step = SCHEDULE[attempt - 1]
    delays = {delay(attempt, seed=seed) for seed in range(200)}
    assert len(delays) > 100
    for wait in delays:
        assert wait is not None
        assert 0.8 * step <= wait.total_seconds() <= 1.2 * step


def test_retry_after_makes_it_later() -> None:
    assert delay(1, "3600") == timedelta(hours=1)
    assert delay(1, "Sun, 06 Nov 1994 08:49:37 GMT") == timedelta(minutes=49, seconds=37)


@pytest.mark.parametrize("value", ["0", "1", "Sun, 06 Nov 1994 07:00:00 GMT", "soon"])
def test_retry_after_never_makes_it_sooner(value: str) -> None:
    assert delay(3, value) == delay(3)


def test_retry_after_adds_no_attempt() -> None:
    assert delay(10, "60") is None


def test_an_empty_schedule_is_one_attempt() -> None:
    assert next_delay(attempt=1, schedule=[], retry_after=None, now=NOW) is None


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError, match="attempt"):
        delay(0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("86400", 86400),
        ("86401", 86400),
        ("9" * 400, 86400),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 2977),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 2977),
        ("Sun Nov  6 08:49:37 1994", 2977),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 2977),
        ("Sun, 06 Nov 1994 07:59:59 GMT", 0),
        ("Fri, 06 Nov 2094 08:49:37 GMT", 86400),
    ],
)
def test_retry_after_is_read(value: str, seconds: int) -> None:
    assert parse_retry_after(value, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "-1",
        "+5",
        "1.5",
        "1e3",
        "٣",
        "12, 12",
        "soon",
        "1 Jan",
        "2094-01-01T00:00:00Z",
        "Sun, 06 Nov 99999 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "\x00",
        "1\n2",
    ],
)
def test_a_malformed_retry_after_is_none(value: str | None) -> None:
    assert parse_retry_after(value, NOW) is None


def test_the_present_may_be_in_any_zone() -> None:
    local = NOW.astimezone(timezone(timedelta(hours=-8)))
    assert parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", local) == timedelta(seconds=2977)
