"""The confidence of an answer: the share of such answers that are right.

The numbers were set by counting on labelled descriptors (tests/merchants/data/labelled.csv and
others, see docs/matching.md), rounded down: of the answers with 0.9 or more, 95 % must be right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from merchants.matching.descriptor.parser import Descriptor

DOMAIN = 0.95
CODE = 0.9
RESOLD = 0.88
GLUED = 0.86
CUT_OFF = 0.86
FOREIGN = 0.12  # subtracted if the merchant does not trade in the transaction's country

# MCC ranges that card schemes reserve for airlines, car rental and lodging, and their general code.
_TRAVEL = ((3000, 3350, "4511"), (3351, 3500, "7512"), (3501, 3999, "7011"))
# Codes that acquirers use for the same kind of merchant.
_MCC_FAMILIES = [
    frozenset(codes.split())
    for codes in (
        "5811 5812 5813 5814 5462 5451 5441 5499",
        "5411 5422 5499 5300 5310 5311 5331 5399 5912 5541 5542 5921",
        "5541 5542 5172 5983 5411 5499",
        "4812 4814 4816 4821 4899 5732 5734 5815 5816 5817 5818 7372 5968 5735 7841",
        "5611 5621 5631 5641 5651 5655 5661 5681 5691 5697 5698 5699 5311 5941 5948 5137 5139",
        "5200 5211 5231 5251 5261 5712 5713 5714 5718 5719 5722 5039 5072 5085",
        "4111 4112 4121 4131 4784 4789 7512 7519 7523 7513",
        "5912 5122 8011 8021 8042 8043 8062 8071 8099 5975 5976 5977 7230 7298",
        "6010 6011 6012 6050 6051 6211 6300 6399 5960 6513 4829 6536 6537 6538 6540",
        "5942 5192 5994 5943 5111 5945 5947 5970 5946 5964 5969 5965 5999 5399 5310 5331",
        "7832 7922 7929 7941 7991 7993 7994 7996 7997 7998 7999 7933 7911",
    )
]


def mcc_fits(mcc: str, merchant_mccs: Sequence[str]) -> bool | None:
    """Whether a transaction's MCC fits a merchant's; None if either is missing."""
    if not mcc or not merchant_mccs:
        return None
    if mcc in merchant_mccs:
        return True
    if mcc.isdigit():
        for first, last, general_mcc in _TRAVEL:
            if first <= int(mcc) <= last:
                return general_mcc in merchant_mccs
    return any(mcc in family and not family.isdisjoint(merchant_mccs) for family in _MCC_FAMILIES)


class SuffixKind(StrEnum):
    """What the words after a merchant's name say."""

    NONE = "none"
    TRADE = "trade"  # the merchant's own
    BENIGN = "benign"  # where and how, not who
    OTHER = "other"  # another trade than the merchant's
    UNKNOWN = "unknown"  # possibly part of a longer name


@dataclass(frozen=True, slots=True)
class NameSignals:
    """The signals for and against a name that begins a descriptor.

    Args:
        suffix: What the words after the name say.
        distinctive: Whether the name alone identifies the merchant.
        letters: Of the name.
        words: Of the name.
        shop_signals: How many things are printed that only merchants have.
        mcc_fits: Whether the merchant's MCC agrees; None if there is none.
        country_fits: Whether the merchant's country agrees; None if there is none.
        via_processor: Whether a processor of mostly small shops is printed before the name.
        unambiguous: Whether only one merchant has the name.
        everyday: Whether the name is made of everyday words.
    """

    suffix: SuffixKind
    distinctive: bool
    letters: int
    words: int
    shop_signals: int
    mcc_fits: bool | None
    country_fits: bool | None
    via_processor: bool
    unambiguous: bool
    everyday: bool


def of_name(signals: NameSignals) -> float | None:
    """Confidence in a name that begins a descriptor; None: too unsure to answer."""
    if signals.everyday and (signals.country_fits is False or signals.suffix == SuffixKind.OTHER):
        return None
    if not signals.distinctive:
        return _common_name(signals)
    if signals.suffix == SuffixKind.NONE:
        score = 0.97
    elif signals.suffix in (SuffixKind.BENIGN, SuffixKind.TRADE):
        score = 0.95
    elif (
        signals.country_fits is False
        or signals.mcc_fits is False
        or (signals.suffix == SuffixKind.OTHER and signals.words == 1)
    ):
        return None
    elif signals.via_processor:
        # Most are small shops: only a long name is surely the brand's.
        score = 0.84 if signals.words > 1 and signals.letters >= 9 else 0.0
    else:
        score = 0.9 if signals.words > 1 or signals.letters >= 7 else 0.86
    if not score:
        return None
    return score if signals.unambiguous else score - 0.04


def _common_name(signals: NameSignals) -> float | None:
    """Confidence in a short or everyday name (Target, Gap, EE), which needs support."""
    if (
        signals.suffix in (SuffixKind.UNKNOWN, SuffixKind.OTHER)
        or signals.mcc_fits is False
        or signals.country_fits is False
        or signals.via_processor
    ):
        return None
    support = (signals.mcc_fits is True) * 2 + (signals.country_fits is True) + signals.shop_signals
    if signals.suffix == SuffixKind.TRADE and signals.words == 1 and signals.mcc_fits is not True:
        return None  # PREMIER PIZZERIA may be anybody's
    if signals.suffix != SuffixKind.NONE or (signals.words > 1 and signals.letters >= 5):
        support += 1
    if (
        not support
        and signals.suffix == SuffixKind.NONE
        and signals.unambiguous
        and signals.letters > 2
        and not signals.everyday
    ):
        return 0.85  # initials that only one merchant has: CVS, H3G
    if not support or (
        support < 2 and (signals.letters < 3 or signals.suffix == SuffixKind.BENIGN)
    ):
        return None
    return 0.92 if signals.unambiguous else 0.87


def of_misspelling(ratio: float, via_processor: bool) -> float:
    """Confidence in a name spelled like the descriptor; `ratio` is rapidfuzz's, 0 to 100."""
    score = 0.75 + (ratio - 88.0) / 12.0 * 0.13
    return score - 0.06 if via_processor else score


def of_cleaned_name(descriptor: Descriptor, country: str) -> float:
    """Confidence in a cleaned descriptor as the merchant's name, without the catalogue."""
    score = 0.7
    if descriptor.intermediary:
        score += 0.08
    if country:
        score += 0.05
    if descriptor.truncated:
        score -= 0.1
    return round(score, 2)
