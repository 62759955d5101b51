"""Tallies become series, and series become plots."""

from datetime import UTC, datetime, timedelta

import pytest

from pave.operations.models import Tally
from pave.operations.monitoring.timeseries import read
from pave.staff.svg_charts import Series, bars, count_text, lines, seconds_text
from pave.staff.widgets import SPANS

NOW = datetime(2026, 11, 24, 12, 7, 30, tzinfo=UTC)


def _tally(minutes_ago: int, name: str, label: str, count: int, subject: str = "") -> None:
    at = (NOW - timedelta(minutes=minutes_ago)).replace(second=0)
    Tally.objects.create(at=at, name=name, label=label, count=count, subject=subject)


@pytest.mark.storage
@pytest.mark.parametrize(("span", "step"), [("hour", 1), ("day", 15), ("week", 60)])
def test_counts_fall_into_their_steps(db: None, span: str, step: int) -> None:
    _tally(0, "requests", "queued", 5)
    _tally(0, "requests", "completed", 4)
    _tally(step, "requests", "queued", 2)
    _tally(step, "requests", "queued", 1)
    _tally(60 * 24 * 8, "requests", "queued", 99)
    readings = read(SPANS[span], NOW, names=["requests"])
    assert readings.times[-1] == NOW.replace(minute=NOW.minute // step * step if step < 60 else 0,
                                             second=0)  # fmt: skip
    assert len(readings.times) == SPANS[span].steps
    assert readings.of("requests", "queued")[-2:] == [3, 5]
    assert readings.sum("requests") == 12
    assert readings.sum("requests", "completed") == 4
    assert readings.sum("nothing") == 0


@pytest.mark.storage
def test_one_webhooks_tallies_are_kept_apart(db: None) -> None:
    _tally(1, "attempts", "ok", 5, "a")
    _tally(1, "attempts", "ok", 3, "b")
    assert read(SPANS["hour"], NOW, names=["attempts"]).sum("attempts") == 8
    assert read(SPANS["hour"], NOW, names=["attempts"], subject="b").sum("attempts") == 3


def test_percentiles_are_those_of_each_step(db: None) -> None:
    _tally(0, "wait_seconds", "0.1", 90)
    _tally(0, "wait_seconds", "5", 10)
    readings = read(SPANS["hour"], NOW, names=["wait_seconds"])
    assert readings.percentiles("wait_seconds", 0.5)[-1] == 0.1
    assert readings.percentiles("wait_seconds", 0.95)[-1] == 5
    assert readings.percentiles("wait_seconds", 0.5)[0] is None
    assert readings.percentile("wait_seconds", 0.95) == 5


TIMES = [NOW + timedelta(minutes=minute) for minute in range(4)]
MINUTE = timedelta(minutes=1)


def test_a_line_has_a_gap_where_there_is_nothing() -> None:
    html = lines([Series("a", [1, None, 3, 4], "s1")], TIMES, MINUTE)
    assert html.count("M") == 2
    assert "a: from 1 to 4, last 4" in html


def test_bars_are_as_high_as_what_they_count() -> None:
    html = bars([Series("a", [2, 0, 0, 0], "s1"), Series("b", [2, 0, 0, 4], "s2")], TIMES, MINUTE)
    assert html.count("v80.00") == 2
    assert html.count("v160.00") == 1


def test_an_empty_plot_says_so() -> None:
    html = lines([Series("a", [None] * 4, "s1")], TIMES, MINUTE, logarithmic=True)
    assert "Nothing in this time." in html
    assert "Nothing in this time." in bars([Series("a", [0] * 4, "s1")], TIMES, MINUTE)


def test_names_in_a_plot_are_escaped() -> None:
    assert "<b>" not in lines([Series("<b>", [1, 2, 3, 4], "s1")], TIMES, MINUTE)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "50 ms"), (2.5, "2.5 s"), (300, "5 min"), (float("inf"), "over an hour")],
)
def test_durations_are_written_as_people_do(value: float, text: str) -> None:
    assert seconds_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234, "1,234"), (56_789, "56.8k"), (2_500_000, "2.5M")]
)
def test_counts_are_written_as_people_do(value: float, text: str) -> None:
    assert count_text(value) == text
