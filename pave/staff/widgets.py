"""The parts of the home page and the results of the search.

Each app provides its own: ``PaveAppConfig.dashboard`` and ``search``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.safestring import SafeString


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time up to now, in steps.

    Args:
        name: As in the URL.
        label: As on the page.
        step: Of the plots.
        steps: How many.
    """

    name: str
    label: str
    step: timedelta
    steps: int

    @property
    def length(self) -> timedelta:
        """From its beginning to now."""
        return self.step * self.steps

    def times(self, now: datetime) -> list[datetime]:
        """Return the beginnings of its steps; the last one is in progress."""
        seconds = self.step.total_seconds()
        last = datetime.fromtimestamp(now.timestamp() // seconds * seconds, tz=now.tzinfo)
        return [last - self.step * back for back in reversed(range(self.steps))]


SPANS = {
    span.name: span
    for span in (
        Span("hour", "Last hour", timedelta(minutes=1), 60),
        Span("day", "Last day", timedelta(minutes=15), 96),
        Span("week", "Last week", timedelta(hours=1), 168),
    )
}


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that needs attention now.

    Args:
        level: ``bad`` or ``warn``.
        text: What it is.
        url: Where to handle it.
        detail: Further information.
        since: When it began.
    """

    level: str
    text: str
    url: str
    detail: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the span."""

    label: str
    value: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of the span."""

    title: str
    drawing: SafeString
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str
    url: str = ""
    level: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A short list of the span."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str
    note: str = ""


Part = Attention | Figure | Plot | Table


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A result of the search.

    Args:
        kind: What it is, such as ``request``.
        label: Its name.
        url: Its page.
        permission: Who may see it.
        detail: Distinguishes it from others.
        exact: Whether it is an exact match.
    """

    kind: str
    label: str
    url: str
    permission: str
    detail: str = ""
    exact: bool = False


@dataclass(slots=True)
class Home:
    """The parts, sorted by kind."""

    attention: list[Attention] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def add(self, part: Part) -> None:
        """Put a part among its kind."""
        match part:
            case Attention():
                self.attention.append(part)
            case Figure():
                self.figures.append(part)
            case Plot():
                self.plots.append(part)
            case Table():
                self.tables.append(part)
