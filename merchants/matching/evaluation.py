"""Scores a heuristic on labelled transactions: accuracy, precision, coverage, calibration.

A name is right if it equals the label or one of its accepted other names, without regard to case,
accents, punctuation and a leading "The"; or if it is a cut-off one with at least 60 % of its
letters.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

MIN_SHARE = 0.6
_BIN_EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)


class Answer(Protocol):
    """The parts of a match that are scored."""

    @property
    def name(self) -> str: ...
    @property
    def merchant_id(self) -> str | None: ...
    @property
    def confidence(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """One labelled transaction and its answer."""

    description: str
    label: str
    name: str
    merchant_id: str | None
    confidence: float
    right: bool
    group: str = ""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """The answers whose confidence is at least `low` and less than `high`."""

    low: float
    high: float
    answers: int
    right: int

    @property
    def share(self) -> float:
        """The share that is right; 0 if there are none."""
        return self.right / self.answers if self.answers else 0.0


@dataclass(slots=True)
class Report:
    """The figures over all scored answers."""

    rows: list[ScoredAnswer] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        """The share of all answers whose name is right."""
        return _share(row.right for row in self.rows)

    @property
    def precision(self) -> float:
        """The share that is right of the answers with a merchant id."""
        return _share(row.right for row in self.rows if row.merchant_id is not None)

    @property
    def coverage(self) -> float:
        """The share of answers that have a merchant id."""
        return _share(row.merchant_id is not None for row in self.rows)

    @property
    def misses(self) -> list[ScoredAnswer]:
        """The wrong answers, the most confident (worst) first."""
        return sorted((row for row in self.rows if not row.right), key=lambda row: -row.confidence)

    def calibration(self) -> list[CalibrationBin]:
        """Confidence against the share that is right, in bands; empty bands are left out."""
        bins = []
        for low, high in pairwise(_BIN_EDGES):
            inside = [row for row in self.rows if low <= row.confidence < high]
            if inside:
                bins.append(
                    CalibrationBin(low, min(high, 1.0), len(inside), sum(r.right for r in inside))
                )
        return bins

    def groups(self) -> dict[str, tuple[int, float]]:
        """For each group of labelled rows: how many there are, and their accuracy."""
        names = sorted({row.group for row in self.rows})
        return {
            group: (
                sum(row.group == group for row in self.rows),
                _share(row.right for row in self.rows if row.group == group),
            )
            for group in names
        }


def score(
    labelled: Iterable[tuple[str, str, str]],
    answers: Iterable[Answer],
    accepted: Mapping[str, Sequence[str]] | None = None,
) -> Report:
    """Compare answers with rows of (description, label, group), in the same order.

    `accepted` maps labels to other right names.
    """
    report = Report()
    for (description, label, group), answer in zip(labelled, answers, strict=True):
        other_names = (accepted or {}).get(label, ())
        report.rows.append(
            ScoredAnswer(
                description, label, answer.name, answer.merchant_id, answer.confidence,
                is_right(answer.name, label, other_names), group,
            )
        )  # fmt: skip
    return report


def is_right(name: str, label: str, accepted: Sequence[str] = ()) -> bool:
    """Whether `name` is the label or an accepted other name, or was cut off one of them."""
    answered = comparable(name)
    return any(_same_or_cut(answered, comparable(right)) for right in (label, *accepted))


def comparable(name: str) -> str:
    """Lower case without accents, punctuation and a leading article, words one blank apart."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    letters = re.sub(r"[^\w\s]|_", "", kept)
    return re.sub(r"\s+", " ", letters).strip().removeprefix("the ")


def _same_or_cut(name: str, right: str) -> bool:
    if name == right:
        return bool(name)
    letters, right_letters = name.replace(" ", ""), right.replace(" ", "")
    return right.startswith(name) and len(letters) >= MIN_SHARE * len(right_letters) > 0


def _share(values: Iterable[bool]) -> float:
    outcomes = list(values)
    return sum(outcomes) / len(outcomes) if outcomes else 0.0
