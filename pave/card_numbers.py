"""Card numbers in what people write, which Pave must not keep.

Pure. Descriptors are written by terminals and by people, and now and then hold the number of the
card that paid, alone, in groups, or run together with its expiry date. What is free text is masked
before it is stored, to the first six and last four digits, which PCI DSS 4.0 (requirement 3.4.1)
allows to be shown. What has to stay as it was sent, such as a client's own id, is refused instead.

A number counts as a card's if its first digits are an issuer's, its length is one that this issuer
uses, and its check digit is right (the Luhn formula of ISO/IEC 7812-1, annex B). The ranges are
those that the card schemes publish of the identification numbers that ISO/IEC 7812-2 gives them.
One in ten other numbers of such a beginning and length passes too, and is masked without harm.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate, compress
from typing import Any
from unicodedata import digit

# What is said of such a number where it is refused.
CARD_REFUSED = "This looks like a card number, which Pave must not keep."

_SHORTEST, _LONGEST = 13, 19
_KEPT_BEFORE, _KEPT_AFTER = 6, 4
# The fields of a transaction that are free text.
_TEXTS = ("description", "city")

# The first and the last beginning of each range, and the lengths of its numbers.
_RANGES = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("6011", "6011", range(16, 20)),  # Discover
    ("644", "659", range(16, 20)),
    ("3528", "3589", range(16, 20)),  # JCB
    ("300", "305", range(14, 20)),  # Diners Club
    ("3095", "3095", range(14, 20)),
    ("36", "36", range(14, 20)),
    ("38", "39", range(14, 20)),
    ("62", "62", range(16, 20)),  # UnionPay
    ("50", "50", range(13, 20)),  # Maestro
    ("56", "58", range(13, 20)),
    ("6", "6", range(13, 20)),
    ("2200", "2204", range(16, 20)),  # Mir
    ("60", "60", (16,)),  # RuPay
    ("65", "65", (16,)),
    ("81", "82", (16,)),
    ("508", "508", (16,)),
)


def _lengths() -> dict[str, tuple[int, ...]]:
    """Return the lengths of card numbers by their first four digits, the longest first."""
    lengths: dict[int, set[int]] = {}
    for first, last, numbers in _RANGES:
        for beginning in range(int(first.ljust(4, "0")), int(last.ljust(4, "9")) + 1):
            lengths.setdefault(beginning, set()).update(numbers)
    return {str(key): tuple(sorted(some, reverse=True)) for key, some in lengths.items()}


_LENGTHS = _lengths()
_DIGITS = b"0123456789"
_VALUES = bytes.maketrans(_DIGITS, bytes(range(10)))
# What a digit counts at every second place of the Luhn formula.
_DOUBLED = bytes.maketrans(bytes(range(10)), bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]))

# Marks of so many digits.
_MARKS = b"\1" * _LONGEST
# Sums behind the last digit, which fit nothing.
_BEYOND = [-1] * (_LONGEST - _SHORTEST)

# What may stand between digits: whatever is no letter and no digit. Three of them, since people
# write " - ". No mask has fewer than three stars in a row of digits, so that a masked text, by
# whomever, stays as it is.
_GAP = r"(?!\*{3})[^0-9A-Za-z]{0,3}+"
_RUN = re.compile(rf"(?<![0-9])[0-9](?:{_GAP}[0-9]){{{_SHORTEST - 1},}}+")
_GROUP = re.compile(r"[0-9]+")
_BETWEEN = re.compile(r"[^0-9]+")
# Letters that are written as dashes: the lengthening marks of Japanese.
_DASHES = "\u30fc\uff70"
# How cards have their number printed: in one piece, or in groups with the same gap between them.
_PRINTED = re.compile(
    r"""[0-9]+
    | [0-9]{4} ([^0-9]+) [0-9]{4}\1 [0-9]{4}\1 [0-9]{1,4} (?:\1[0-9]{1,3})?
    | [0-9]{4} ([^0-9]+) [0-9]{6}\2 [0-9]{4,5}
    | [0-9]{6} [^0-9]+ (?:[0-9]{10}|[0-9]{13})
    | [0-9]{8} [^0-9]+ [0-9]{8}
    | [0-9] ([^0-9]+) [0-9] (?:\3[0-9])+""",
    re.VERBOSE,
)
# What stands behind the number on a card's magnetic stripe (ISO/IEC 7813, track 2).
_TRACK = re.compile(rf"(?<=[0-9]{{{_SHORTEST}}})[Dd=](?=[0-9]{{7}})")
_ALONE = re.compile(rf"[^0-9A-Za-z]*(?:[0-9]{_GAP}){{{_SHORTEST},{_LONGEST}}}[^0-9A-Za-z]*")
# Hexadecimal ids, in which long runs of digits come about by chance: UUIDs, and digests and the
# like, where letters stand between digits.
_HEXADECIMAL = re.compile(
    r"""(?<![0-9A-Za-z])(?:
        [0-9A-Fa-f]{8} (?:-[0-9A-Fa-f]{4}){3} -[0-9A-Fa-f]{12}
        | (?=[A-Fa-f]*+[0-9]++[A-Fa-f]++[0-9]) [0-9A-Fa-f]{16,}+
    )(?![0-9A-Za-z])""",
    re.VERBOSE,
)
# Dates that are glued to a card's number: 05/28 and 05/2028 behind it, these and 2026-11-20 before.
_EXPIRY = r"(?:0[1-9]|1[0-2])[/.-](?:20)?[2-9][0-9]"
_GLUED_DATE = re.compile(
    rf"""(?<=[0-9]{{{_SHORTEST}}}) (?={_EXPIRY}(?![0-9]))
    | (?<![0-9]) (?:20[0-9]{{2}}[/.-][0-9]{{2}}[/.-][0-9]{{2}} | {_EXPIRY})
      (?=[0-9]{{{_SHORTEST},{_LONGEST}}}(?![0-9]))""",
    re.VERBOSE,
)

# Where a card number begins and ends among digits.
_Span = tuple[int, int]


def without_card_numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a transaction's fields as they may be stored: card numbers in its texts are masked.

    Args:
        fields: Named as the model's. ``reference`` stays as it is: one that holds a card number
            has been refused. In ``metadata``, both names and values may be ids.
    """
    changed: dict[str, Any] = {name: masked(fields[name]) for name in _TEXTS if fields.get(name)}
    if metadata := fields.get("metadata"):
        changed["metadata"] = {
            masked_value(name): masked_value(value) for name, value in metadata.items()
        }
    return {**fields, **changed}


def masked(text: str) -> str:
    """Return ``text`` with the middle of every card number in it replaced by ``*``.

    Any 13 to 19 digits in a row may be one, since terminals print a card's number beside a date, or
    glued to it. The time that it takes grows with the length of the text, and no faster.
    """
    plain = _plain(text)
    shown: list[str] = []
    for run in _RUN.finditer(plain):
        if cards := _all_cards(run[0]):
            places = [place for place in range(*run.span()) if "0" <= plain[place] <= "9"]
            hidden = bytearray(len(places))
            for start, end in cards:
                first, last = start + _KEPT_BEFORE, end - _KEPT_AFTER
                hidden[first:last] = _MARKS[: last - first]
            shown = shown or list(text)
            for place in compress(places, hidden):
                shown[place] = "*"
    return "".join(shown) or text


def masked_value(value: str) -> str:
    """Return ``value``, which may be an id or a token of somebody's, masked if it holds a card.

    ``masked`` alone would change every second number of twenty digits.
    """
    return masked(value) if holds_card_number(value) else value


def holds_card_number(text: str) -> bool:
    """Return whether ``text`` is a card number, or holds one as cards have it printed.

    Stricter than ``masked``, for what must stay as it is: a longer number is no card's, and neither
    is a hexadecimal id such as a UUID, whatever stands within them.
    """
    plain = _TRACK.sub(" ", _plain(text))
    if not _RUN.search(plain):
        return False
    digits = _BETWEEN.sub("", plain)
    if _ALONE.fullmatch(plain) and (0, len(digits)) in _windows(digits):
        return True
    plain = _HEXADECIMAL.sub("x", plain)
    return any(
        _printed_cards(run[0], _windows(_BETWEEN.sub("", run[0])))[1]
        for text in dict.fromkeys((plain, _GLUED_DATE.sub(r"\g<0> ", plain)))
        for run in _RUN.finditer(text)
    )


def _all_cards(run: str) -> list[_Span]:
    """Return the card numbers within a run of digits and gaps.

    What cuts a group of digits in two is none if it overlaps one in print: else a date beside that
    would now and then take its first or last digits along.
    """
    windows = list(_windows(_BETWEEN.sub("", run)))
    whole, printed = _printed_cards(run, windows)
    if not printed:
        return windows
    taken = bytearray(len(run))
    for start, end in printed:
        taken[start:end] = _MARKS[: end - start]
    return [span for span in windows if span in whole or 1 not in taken[slice(*span)]]


def _printed_cards(run: str, windows: Iterable[_Span]) -> tuple[set[_Span], list[_Span]]:
    """Return which ``windows`` cut no group of digits, and which of these cards have so printed."""
    beginnings, ends, count = {}, {}, 0
    for group in _GROUP.finditer(run):
        beginnings[count] = group.start()
        count += len(group[0])
        ends[count] = group.end()
    whole = {(start, end) for start, end in windows if start in beginnings and end in ends}
    return whole, [
        (start, end)
        for start, end in whole
        if _PRINTED.fullmatch(run, beginnings[start], ends[end])
    ]


def _windows(digits: str) -> Iterator[_Span]:
    """Yield all parts of ``digits`` that are card numbers, at each beginning the longest first."""
    plain = digits.encode().translate(_VALUES)
    doubled = plain.translate(_DOUBLED)
    even, odd = bytearray(plain), bytearray(doubled)
    even[1::2], odd[1::2] = doubled[1::2], plain[1::2]
    # Sums of the Luhn formula up to each place, modulo 10: with the digits at odd places counting
    # plainly, or those at even ones, and 10 more. The sum of a number is nought if the one before
    # it is the one at its end, of those in which its last digit counts plainly.
    odds = [value % 10 for value in accumulate(odd, initial=0)]
    evens = [value % 10 + 10 for value in accumulate(even, initial=0)]
    sums = [*odds, *_BEYOND]
    sums[1 : len(odds) : 2] = evens[1::2]
    lengths_of = _LENGTHS.get
    for start in range(len(digits) - _SHORTEST + 1):
        before = odds[start], evens[start]
        for length in lengths_of(digits[start : start + 4], ()):
            if sums[start + length] in before:
                yield start, start + length


def _plain(text: str) -> str:
    """Return ``text`` in ASCII, character by character, with the digits of all scripts as 0 to 9.

    One that has too few digits, as nearly all have, comes back empty: it needs no closer look.
    """
    if text.isascii():
        encoded = text.encode()
        few = len(encoded) - len(encoded.translate(None, _DIGITS)) < _SHORTEST
        return "" if few else text
    if sum(map(str.isdigit, text)) < _SHORTEST:
        return ""
    return "".join(map(_plain_character, text))


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if character.isdigit():
        return str(digit(character))
    return "x" if character.isalnum() and character not in _DASHES else " "
