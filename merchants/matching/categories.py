"""The published list of categories: two levels that say what a merchant sells.

Pure. ``data/categories.csv`` has a row for each category. Its ``mccs`` are those of ISO 18245 that
map to it (a range for codes that card networks give to single airlines, hotels and car rentals).
Its ``plaid`` is the code of the nearest of Plaid's personal finance categories. Its ``words`` are
what sources of merchants and the catalogue before this list call it; ``word@mcc`` is the meaning of
a word for a merchant with that first MCC, where the word alone is too vague.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

DATA = Path(__file__).parents[1] / "data" / "categories.csv"


@dataclass(frozen=True, slots=True)
class Category:
    """One category of the list.

    Args:
        primary: The word of the first level.
        detailed: The word of the second level; no two categories share it.
        title: What people call it.
        plaid: The nearest detailed category of Plaid's.
        mcc_ranges: Its MCCs, such as ``5812`` and ``3000-3350``.
        words: Other words for it, some with an MCC.
    """

    primary: str
    detailed: str
    title: str
    plaid: str
    mcc_ranges: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def mccs(self) -> tuple[str, ...]:
        """Every MCC of it."""
        return tuple(mcc for codes in self.mcc_ranges for mcc in _codes(codes))


def all_categories() -> tuple[Category, ...]:
    """Return every category, in the order in which they are shown."""
    return _ALL


def primary_title(primary: str) -> str:
    """Return what people call a category of the first level."""
    return primary.replace("_", " ").capitalize()


def of_mcc(mcc: str) -> Category | None:
    """Return the category that an MCC means; None for what is no MCC of ISO 18245."""
    return _BY_MCC.get(mcc)


@lru_cache(maxsize=4096)  # a catalogue repeats a few hundred words
def of_word(word: str, mcc: str = "") -> Category | None:
    """Return the category that a word means, of the list or of a source of merchants.

    Ignores case, blanks, hyphens and underscores; of a path of the Name Suggestion Index
    (``amenity/fast_food``) only the end counts.

    Args:
        word: The word.
        mcc: The merchant's first MCC. It decides where the word alone is too vague: ``transport``
            is a train for one, a bus for another.
    """
    plain = re.sub(r"[\W_]+", "_", word.rpartition("/")[2].casefold()).strip("_")
    return _BY_WORD.get(f"{plain}@{mcc}") or _BY_WORD.get(plain)


def of_merchant(word: str, mccs: Sequence[str]) -> Category | None:
    """Return the category of a merchant: its word's, else that of its first MCC that has one."""
    category = of_word(word, mccs[0] if mccs else "") if word else None
    return category or next(filter(None, map(of_mcc, mccs)), None)


def stored_word(word: str, mccs: Sequence[str]) -> str:
    """Return what is kept of a merchant's category: its ``detailed``, empty if it has none."""
    category = of_merchant(word, mccs)
    return category.detailed if category else ""


def as_member(word: str | None, mcc: str | None) -> dict[str, str] | None:
    """Return a category as clients see it, from an old word or one of the list, else the MCC."""
    return member(of_merchant(word or "", (mcc,) if mcc else ()))


def member(category: Category | None) -> dict[str, str] | None:
    """Return a category as clients see it in a merchant."""
    if category is None:
        return None
    return {"primary": category.primary, "detailed": category.detailed}


def choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the list for a form: the detailed words with their titles, by primary."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for category in _ALL:
        group = groups.setdefault(primary_title(category.primary), [])
        group.append((category.detailed, category.title))
    return list(groups.items())


def _codes(codes: str) -> Iterator[str]:
    first, _, last = codes.partition("-")
    return (f"{code:04}" for code in range(int(first), int(last or first) + 1))


def _read() -> tuple[Category, ...]:
    with DATA.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Category(
                primary=row["primary"],
                detailed=row["detailed"],
                title=row["title"],
                plaid=row["plaid"],
                mcc_ranges=tuple(row["mccs"].split()),
                words=tuple(row["words"].split()),
            )
            for row in csv.DictReader(lines)
        )


_ALL = _read()
_BY_MCC = MappingProxyType({mcc: category for category in _ALL for mcc in category.mccs})
_BY_WORD = MappingProxyType(
    {word: category for category in _ALL for word in (category.detailed, *category.words)}
)
