"""What the words behind a merchant's name say: nothing, where and how, or that it goes on."""

from collections.abc import Sequence
from itertools import takewhile

from merchants.matching.descriptor.gazetteer import US_STATES, load_gazetteer
from merchants.matching.lookup import confidence
from merchants.matching.text.word_lists import (
    ANY_TRADE_WORDS,
    SHOP_WORDS,
    STREET_WORDS,
    SUFFIX_WORDS,
    TRADE_MCCS,
    is_everyday,
)


def tail_kind(tail: Sequence[str], mccs: Sequence[str]) -> str:
    """What stands behind a name: none, trade, benign, other or unknown.

    A word for a trade (`WIRELESS`, `PHARMACY`) is `trade` if the merchant, known by its MCCs, is in
    it, else `other`. `benign` words say where and how, and `none` is there before a number.
    """
    words = list(takewhile(lambda word: not is_number(word), tail))
    if not words:
        return "none"
    places = load_gazetteer()
    if len(words) == 1 and len(tail) > 1 and words[0].upper() in US_STATES:
        return "none"  # FIVE GUYS VA 1022
    rest = [word for word in words if word not in SUFFIX_WORDS and len(word) > 1]
    if len(words) > 1 and words[-1] in STREET_WORDS:
        return "benign"
    trades = [confidence.mcc_agrees(TRADE_MCCS[word], mccs) for word in words if word in TRADE_MCCS]
    if trades and not all(trades):
        return "other"
    kinds = [
        at for at, word in enumerate(words) if word in SHOP_WORDS and word not in ANY_TRADE_WORDS
    ]
    first = words.index(rest[0]) if rest else len(words)
    if any(words[at] not in TRADE_MCCS or at > first for at in kinds):
        return "unknown"  # what comes behind a place or is no trade is part of a longer name
    if not rest:
        return "trade" if trades else "benign"
    for town in (" ".join(rest).upper(), " ".join(words).upper()):
        if (places.regions(town) and not is_everyday(town.lower())) or (
            len(town) >= 5 and places.any_begins_with(town)
        ):
            return "benign"
    return "unknown"


def is_number(word: str) -> bool:
    """A number, a reference or one that was masked (XXXXX)."""
    return any(char.isdigit() for char in word) or (len(word) > 2 and not word.strip("x"))


def goes_on(tail: Sequence[str], truncated: bool) -> bool:
    """Whether the name goes on: `D'ANGELO & SONS` is not D'Angelo, `CROWN & ANCHOR` not Crown.

    A word of which a column left three letters or less says nothing: `HOLIDAY INN EXPRESS & SU`.
    """
    if truncated and len(tail) > 1 and len(tail[-1]) <= 3:
        return False
    return (
        len(tail) > 1 and tail[0] == "and" and any(word not in SUFFIX_WORDS for word in tail[1:3])
    )
