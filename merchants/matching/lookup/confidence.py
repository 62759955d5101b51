"""How sure an answer is, as the share of such answers that are right.

The numbers were set by counting on labelled descriptors (tests/merchants/data/labelled.csv and
others, see docs/matching.md), rounded down: of the answers with 0.9 or more, 95 % must be right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

DOMAIN = 0.95
CODE = 0.9
RESOLD = 0.88
GLUED = 0.86
CUT_OFF = 0.86
FOREIGN = 0.12  # taken off if the merchant is not known to be in the transaction's country

# MCC ranges that card schemes reserve for airlines, car rental and lodging, and their general code.
_TRAVEL = ((3000, 3350, "4511"), (3351, 3500, "7512"), (3501, 3999, "7011"))
# Codes under which acquirers file the same kind of merchant.
_FAMILIES = [
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


def mcc_agrees(given: str, known: Sequence[str]) -> bool | None:
    """Whether a transaction's MCC fits a merchant's; None if either is not known."""
    if not given or not known:
        return None
    if given in known:
        return True
    if given.isdigit():
        for first, last, general in _TRAVEL:
            if first <= int(given) <= last:
                return general in known
    return any(given in family and not family.isdisjoint(known) for family in _FAMILIES)


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for and against a name found at the descriptor's beginning.

    Args:
        kind: What stands behind the name: none, trade, benign, other, unknown.
        distinctive: Whether the name alone says who it is.
        letters: Of the name.
        words: Of the name.
        shop: How many signs of a shop the rail printed (store number, place, …).
        mcc: Whether the merchant's category agrees; None if nothing is known.
        country: Whether the merchant's country agrees; None if nothing is known.
        intermediary: Whether a processor or wallet stands before the name.
        alone: Whether only one merchant has the name.
        everyday: Whether the name is a word in everyday use.
    """

    kind: str
    distinctive: bool
    letters: int
    words: int
    shop: int
    mcc: bool | None
    country: bool | None
    intermediary: bool
    alone: bool
    everyday: bool


def named(signs: Signs) -> float | None:
    """Confidence in a name found at the descriptor's beginning; None: not to be guessed."""
    if signs.everyday and (signs.country is False or signs.kind == "other"):
        return None
    if not signs.distinctive:
        return _common_name(signs)
    if signs.kind == "none":
        sure = 0.97
    elif signs.kind in ("benign", "trade"):
        sure = 0.95
    elif (
        signs.country is False or signs.mcc is False or (signs.kind == "other" and signs.words == 1)
    ):
        return None
    elif signs.intermediary:
        # Small shops are the processors' customers: only a long name is surely the brand's.
        sure = 0.84 if signs.words > 1 and signs.letters >= 9 else 0.0
    else:
        sure = 0.9 if signs.words > 1 or signs.letters >= 7 else 0.86
    if not sure:
        return None
    return sure if signs.alone else sure - 0.04


def _common_name(signs: Signs) -> float | None:
    """A short or everyday name (Target, Gap, EE) needs something that speaks for the brand."""
    if (
        signs.kind in ("unknown", "other")
        or signs.mcc is False
        or signs.country is False
        or signs.intermediary
    ):
        return None
    support = (signs.mcc is True) * 2 + (signs.country is True) + signs.shop
    if signs.kind == "trade" and signs.words == 1 and signs.mcc is not True:
        return None  # PREMIER PIZZERIA may be anybody's
    if signs.kind != "none" or (signs.words > 1 and signs.letters >= 5):
        support += 1
    if (
        not support
        and signs.kind == "none"
        and signs.alone
        and signs.letters > 2
        and not signs.everyday
    ):
        return 0.85  # nothing but initials that one merchant has: CVS, H3G
    if not support or (support < 2 and (signs.letters < 3 or signs.kind == "benign")):
        return None
    return 0.92 if signs.alone else 0.87


def alike(ratio: float, intermediary: bool) -> float:
    """Confidence in a name spelled like the descriptor; `ratio` is rapidfuzz's, 0 to 100."""
    sure = 0.75 + (ratio - 88.0) / 12.0 * 0.13
    return sure - 0.06 if intermediary else sure
