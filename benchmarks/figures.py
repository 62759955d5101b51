"""What a benchmark measures, and what is made of it."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(slots=True)
class Figure:
    """One quantity, measured once in every round.

    Args:
        name: Short, such as ``accept 32 requests/s``.
        unit: Such as ``/s`` or ``ms``.
    """

    name: str
    unit: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.values)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two figures of one sitting beside each other, and what was promised of them.

    Args:
        name: What it says.
        over: The numerator.
        under: The denominator.
        at_least: The bound, if larger is better.
        at_most: The bound, if smaller is better.
    """

    name: str
    over: Figure
    under: Figure
    at_least: float | None = None
    at_most: float | None = None

    @property
    def value(self) -> float:
        """The median of the rounds' ratios: what moves both in a round moves neither of them."""
        pairs = zip(self.over.values, self.under.values, strict=True)
        return median(over / under if under else float("inf") for over, under in pairs)

    @property
    def holds(self) -> bool:
        """Whether the promise is kept; always so where none was made."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


@dataclass(frozen=True, slots=True)
class Bound:
    """A promise about one figure's median."""

    figure: Figure
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        value = self.figure.median
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


@dataclass(slots=True)
class Report:
    """Everything that one part of the benchmark has to say."""

    part: str
    figures: list[Figure] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def figure(self, name: str, unit: str) -> Figure:
        """Return the figure of this name, made on its first mention."""
        for known in self.figures:
            if known.name == name:
                return known
        made = Figure(name, unit)
        self.figures.append(made)
        return made

    @property
    def holds(self) -> bool:
        """Whether all promises are kept."""
        return all(ratio.holds for ratio in self.ratios) and all(
            bound.holds for bound in self.bounds
        )

    def as_json(self) -> dict[str, Any]:
        """Return it for the file of results."""
        return {
            "figures": [
                {
                    "name": figure.name,
                    "unit": figure.unit,
                    "median": round(figure.median, 4),
                    "low": round(min(figure.values), 4),
                    "high": round(max(figure.values), 4),
                    "rounds": len(figure.values),
                }
                for figure in self.figures
                if figure.values
            ],
            "ratios": [
                {
                    "name": ratio.name,
                    "value": round(ratio.value, 4),
                    "at_least": ratio.at_least,
                    "at_most": ratio.at_most,
                    "holds": ratio.holds,
                }
                for ratio in self.ratios
            ],
            "bounds": [
                {
                    "name": bound.figure.name,
                    "value": round(bound.figure.median, 4),
                    "at_least": bound.at_least,
                    "at_most": bound.at_most,
                    "holds": bound.holds,
                }
                for bound in self.bounds
            ],
            "notes": self.notes,
        }
