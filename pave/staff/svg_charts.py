"""Plots rendered on the server, as SVG without scripts or styles of its own.

Shapes are in the SVG, which stretches; texts are HTML around it, which stays readable on a phone.
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
        values: One for each step; None where there is no value.
        colour: A class of staff.css: ``s1`` to ``s5``, ``good``, ``warn``, ``bad``.
    """

    name: str
    values: Sequence[float | None]
    colour: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of an axis: its label and its position."""

    text: str
    position: float


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
    values = [value for line in series for value in line.values if value is not None]
    scale = _log_scale(values) if logarithmic else _linear_scale(values, top)
    drawn = [
        {
            "name": line.name,
            "colour": line.colour,
            "path": _path([None if v is None else scale.position(v) for v in line.values]),
            "points": _isolated_points(line.values, scale),
        }
        for line in series
    ]
    return _render(series, times, step, text, scale, {"lines": drawn}, bool(values))


def bars(
    series: Sequence[Series],
    times: Sequence[datetime],
    step: timedelta,
    *,
    text: Callable[[float], str] = count_text,
) -> SafeString:
    """Return stacked bars over time."""
    sums = [sum(part.values[index] or 0 for part in series) for index in range(len(times))]
    scale = _linear_scale(sums, None)
    width = WIDTH / max(len(times), 1)
    heights = [0.0] * len(times)
    drawn = []
    for part in series:
        path = []
        for index, value in enumerate(part.values):
            if share := scale.position(value or 0):
                heights[index] += share
                x, y = index * width + width * 0.1, HEIGHT * (1 - heights[index])
                path.append(f"M{x:.2f} {y:.2f}h{width * 0.8:.2f}v{HEIGHT * share:.2f}H{x:.2f}z")
        drawn.append({"path": "".join(path), "colour": part.colour})
    return _render(series, times, step, text, scale, {"bars": drawn}, any(sums))


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def position(self, value: float) -> float:
        """Return where a value is between the bottom, 0, and the top, 1."""
        if self.logarithmic:
            value = min(max(value, self.low), self.high)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def _linear_scale(values: Sequence[float], top: float | None) -> _Scale:
    high = top or _round_up(max(values, default=0) or 1)
    return _Scale(0.0, high, (0.0, high / 2, high))


def _log_scale(values: Sequence[float]) -> _Scale:
    finite = [value for value in values if value and not math.isinf(value)] or [0.1, 1]
    low = 10 ** math.floor(math.log10(min(finite)))
    high = 10 ** math.ceil(math.log10(max(finite)))
    high = max(high, low * 10)
    ticks = [10**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    return _Scale(low, high, tuple(ticks[:: max(1, len(ticks) // 4)]), logarithmic=True)


def _round_up(value: float) -> float:
    power = 10 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 5, 10) if value <= power * step)


def _path(positions: Sequence[float | None]) -> str:
    """Return the path of a line, with gaps where there are no values."""
    commands = []
    pen_down = False
    for index, position in enumerate(positions):
        if position is None:
            pen_down = False
            continue
        x = (index + 0.5) * WIDTH / len(positions)
        commands.append(f"{'L' if pen_down else 'M'}{x:.1f} {HEIGHT * (1 - position):.1f}")
        pen_down = True
    return " ".join(commands)


def _isolated_points(values: Sequence[float | None], scale: _Scale) -> list[dict[str, str]]:
    """Return the points that have no neighbour to draw a line to."""
    padded = [None, *values, None]
    return [
        {
            "x": f"{(index + 0.5) * WIDTH / len(values) - 2:.1f}",
            "y": f"{HEIGHT * (1 - scale.position(value)) - 2:.1f}",
        }
        for index, value in enumerate(values)
        if value is not None and padded[index] is None and padded[index + 2] is None
    ]


def _render(
    series: Sequence[Series],
    times: Sequence[datetime],
    step: timedelta,
    text: Callable[[float], str],
    scale: _Scale,
    drawn: dict[str, object],
    has_data: bool,
) -> SafeString:
    width = WIDTH / max(len(times), 1)
    hints = [
        {
            "x": f"{index * width:.2f}",
            "text": _time_label(time, step)
            + "".join(
                f"\n{part.name}: {text(value)}"
                for part in series
                if (value := part.values[index]) is not None
            ),
        }
        for index, time in enumerate(times)
    ]
    return SafeString(
        render_to_string(
            "staff/plot.html",
            {
                "width": WIDTH,
                "height": HEIGHT,
                "step_width": f"{width:.2f}",
                "series": series,
                "hints": hints if has_data else [],
                "ticks": [
                    Tick(text(tick), HEIGHT * (1 - scale.position(tick))) for tick in scale.ticks
                ],
                "labels": [
                    _time_label(
                        times[round(index * (len(times) - 1) / (X_LABELS - 1))], step, short=True
                    )
                    for index in range(X_LABELS)
                ],
                "has_data": has_data,
                "summary": _summary(series, text),
                **drawn,
            },
        )
    )


def _time_label(time: datetime, step: timedelta, *, short: bool = False) -> str:
    local = timezone.localtime(time)
    if step >= timedelta(hours=1):
        return local.strftime("%d %b" if short else "%a %d %b, %H:%M")
    return local.strftime("%H:%M" if short else "%a %H:%M")


def _summary(series: Sequence[Series], text: Callable[[float], str]) -> str:
    """Return a text alternative of the plot."""
    summaries = []
    for part in series:
        values = [value for value in part.values if value is not None]
        if values:
            summaries.append(
                f"{part.name}: from {text(min(values))} to {text(max(values))}, "
                f"last {text(values[-1])}"
            )
    return "; ".join(summaries) or "nothing yet"
