"""What the words after a merchant's name say: where and how, another trade, or a longer name."""

from collections.abc import Sequence
from itertools import takewhile

from merchants.matching.descriptor.gazetteer import US_STATES, load_gazetteer
from merchants.matching.lookup import confidence
from merchants.matching.lookup.confidence import SuffixKind
from merchants.matching.text.word_lists import (
    ANY_TRADE_WORDS,
    SHOP_WORDS,
    STREET_WORDS,
    SUFFIX_WORDS,
    TRADE_MCCS,
    is_everyday,
)


def suffix_kind(suffix: Sequence[str], mccs: Sequence[str]) -> SuffixKind:
    """What the words after the name of a merchant with `mccs` say.

    Words after a number do not count. A word for a trade (`WIRELESS`, `PHARMACY`) is the
    merchant's own if its MCCs fit.
    """
    words = list(takewhile(lambda word: not is_number(word), suffix))
    if not words:
        return SuffixKind.NONE
    gazetteer = load_gazetteer()
    if len(words) == 1 and len(suffix) > 1 and words[0].upper() in US_STATES:
        return SuffixKind.NONE  # FIVE GUYS VA 1022
    unexplained = [word for word in words if word not in SUFFIX_WORDS and len(word) > 1]
    if len(words) > 1 and words[-1] in STREET_WORDS:
        return SuffixKind.BENIGN
    trades = [confidence.mcc_fits(TRADE_MCCS[word], mccs) for word in words if word in TRADE_MCCS]
    if trades and not all(trades):
        return SuffixKind.OTHER
    shop_words = [
        index
        for index, word in enumerate(words)
        if word in SHOP_WORDS and word not in ANY_TRADE_WORDS
    ]
    first_unexplained = words.index(unexplained[0]) if unexplained else len(words)
    if any(words[index] not in TRADE_MCCS or index > first_unexplained for index in shop_words):
        return SuffixKind.UNKNOWN  # after a city, or no trade: part of a longer name
    if not unexplained:
        return SuffixKind.TRADE if trades else SuffixKind.BENIGN
    for city in (" ".join(unexplained).upper(), " ".join(words).upper()):
        if (gazetteer.regions(city) and not is_everyday(city.lower())) or (
            len(city) >= 5 and gazetteer.any_begins_with(city)
        ):
            return SuffixKind.BENIGN
    return SuffixKind.UNKNOWN


def is_number(word: str) -> bool:
    """Whether a word is a number or a reference, also a masked one (XXXXX)."""
    return any(char.isdigit() for char in word) or (len(word) > 2 and not word.strip("x"))


def name_continues(suffix: Sequence[str], truncated: bool) -> bool:
    """Whether the name goes on: `D'ANGELO & SONS` is not D'Angelo, `CROWN & ANCHOR` not Crown.

    A last word cut to three letters or less is ignored: `HOLIDAY INN EXPRESS & SU`.
    """
    if truncated and len(suffix) > 1 and len(suffix[-1]) <= 3:
        return False
    return (
        len(suffix) > 1
        and suffix[0] == "and"
        and any(word not in SUFFIX_WORDS for word in suffix[1:3])
    )
