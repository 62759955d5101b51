"""Plots drawn on the server, as SVG without a script or a style of its own.

Marks are in the SVG, which stretches; words are HTML around it, which stays readable on a phone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

WIDTH = 600.0
HEIGHT = 160.0
X_LABELS = 5


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one colour of the bars.

    Args:
        name: In the legend.
        values: One for each step; None where there is nothing to say.
        colour: A class of staff.css: ``s1`` to ``s5``, ``good``, ``warn``, ``bad``.
    """

    name: str
    values: Sequence[float | None]
    colour: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick of an axis: where, in parts of the whole, and what stands there."""

    text: str
    place: float


def count_text(value: float) -> str:
    """Return a count as people write it."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:.3g}M"
    if value >= 10_000:
        return f"{value / 1000:.3g}k"
    return f"{value:,.3g}" if value < 10 and value % 1 else f"{value:,.0f}"


def seconds_text(value: float) -> str:
    """Return a duration as people write it."""
    if math.isinf(value):
        return "over an hour"
    if value < 1:
        return f"{value * 1000:g} ms"
    if value < 120:
        return f"{value:g} s"
    return f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:.3g} h"


def percent_text(value: float) -> str:
    """Return a share as people write it."""
    return f"{value * 100:.3g} %"


def lines(
    series: Sequence[Series],
    times: Sequence[datetime],
    step: timedelta,
    *,
    text: Callable[[float], str] = count_text,
    logarithmic: bool = False,
    top: float | None = None,
) -> SafeString:
    """Return lines over time.

    Args:
        series: What is drawn.
        times: The beginnings of the steps.
        step: Their length.
        text: How a value is written.
        logarithmic: For durations, which differ by orders of magnitude.
        top: The end of the scale; by default a round number above all values.
    """
    known = [value for one in series for value in one.values if value is not None]
    scale = _log_scale(known) if logarithmic else _linear_scale(known, top)
    drawn = [
        {
            "name": one.name,
            "colour": one.colour,
            "path": _path([None if v is None else scale.place(v) for v in one.values]),
            "points": _lonely(one.values, scale),
        }
        for one in series
    ]
    return _render(series, times, step, text, scale, {"lines": drawn}, bool(known))


def bars(
    series: Sequence[Series],
    times: Sequence[datetime],
    step: timedelta,
    *,
    text: Callable[[float], str] = count_text,
) -> SafeString:
    """Return stacked bars over time."""
    sums = [sum(one.values[at] or 0 for one in series) for at in range(len(times))]
    scale = _linear_scale(sums, None)
    width = WIDTH / max(len(times), 1)
    heights = [0.0] * len(times)
    drawn = []
    for one in series:
        path = []
        for at, value in enumerate(one.values):
            if share := scale.place(value or 0):
                heights[at] += share
                x, y = at * width + width * 0.1, HEIGHT * (1 - heights[at])
                path.append(f"M{x:.2f} {y:.2f}h{width * 0.8:.2f}v{HEIGHT * share:.2f}H{x:.2f}z")
        drawn.append({"path": "".join(path), "colour": one.colour})
    return _render(series, times, step, text, scale, {"bars": drawn}, any(sums))


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where a value is between the bottom, 0, and the top, 1."""
        if self.logarithmic:
            value = min(max(value, self.low), self.high)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def _linear_scale(values: Sequence[float], top: float | None) -> _Scale:
    high = top or _round_up(max(values, default=0) or 1)
    return _Scale(0.0, high, (0.0, high / 2, high))


def _log_scale(values: Sequence[float]) -> _Scale:
    known = [value for value in values if value and not math.isinf(value)] or [0.1, 1]
    low = 10 ** math.floor(math.log10(min(known)))
    high = 10 ** math.ceil(math.log10(max(known)))
    high = max(high, low * 10)
    ticks = [10**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    return _Scale(low, high, tuple(ticks[:: max(1, len(ticks) // 4)]), logarithmic=True)


def _round_up(value: float) -> float:
    power = 10 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 5, 10) if value <= power * step)


def _path(places: Sequence[float | None]) -> str:
    """Return the drawing of a line, which has a gap where there is nothing to say."""
    words = []
    pen_down = False
    for at, place in enumerate(places):
        if place is None:
            pen_down = False
            continue
        x = (at + 0.5) * WIDTH / len(places)
        words.append(f"{'L' if pen_down else 'M'}{x:.1f} {HEIGHT * (1 - place):.1f}")
        pen_down = True
    return " ".join(words)


def _lonely(values: Sequence[float | None], scale: _Scale) -> list[dict[str, str]]:
    """Return the points that have no neighbour to draw a line to."""
    padded = [None, *values, None]
    return [
        {
            "x": f"{(at + 0.5) * WIDTH / len(values) - 2:.1f}",
            "y": f"{HEIGHT * (1 - scale.place(value)) - 2:.1f}",
        }
        for at, value in enumerate(values)
        if value is not None and padded[at] is None and padded[at + 2] is None
    ]


def _render(
    series: Sequence[Series],
    times: Sequence[datetime],
    step: timedelta,
    text: Callable[[float], str],
    scale: _Scale,
    drawn: dict[str, object],
    anything: bool,
) -> SafeString:
    width = WIDTH / max(len(times), 1)
    hints = [
        {
            "x": f"{at * width:.2f}",
            "text": _moment(time, step)
            + "".join(
                f"\n{one.name}: {text(value)}"
                for one in series
                if (value := one.values[at]) is not None
            ),
        }
        for at, time in enumerate(times)
    ]
    return SafeString(
        render_to_string(
            "staff/plot.html",
            {
                "width": WIDTH,
                "height": HEIGHT,
                "step_width": f"{width:.2f}",
                "series": series,
                "hints": hints if anything else [],
                "ticks": [
                    Mark(text(tick), HEIGHT * (1 - scale.place(tick))) for tick in scale.ticks
                ],
                "labels": [
                    _moment(times[round(at * (len(times) - 1) / (X_LABELS - 1))], step, short=True)
                    for at in range(X_LABELS)
                ],
                "anything": anything,
                "summary": _summary(series, text),
                **drawn,
            },
        )
    )


def _moment(time: datetime, step: timedelta, *, short: bool = False) -> str:
    local = timezone.localtime(time)
    if step >= timedelta(hours=1):
        return local.strftime("%d %b" if short else "%a %d %b, %H:%M")
    return local.strftime("%H:%M" if short else "%a %H:%M")


def _summary(series: Sequence[Series], text: Callable[[float], str]) -> str:
    """Return what somebody hears who does not see the plot."""
    said = []
    for one in series:
        known = [value for value in one.values if value is not None]
        if known:
            said.append(
                f"{one.name}: from {text(min(known))} to {text(max(known))}, last {text(known[-1])}"
            )
    return "; ".join(said) or "nothing yet"
