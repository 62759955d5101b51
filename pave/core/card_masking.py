"""Card numbers in what people write, which Pave must not keep.

Pure. Descriptors are written by terminals and by people, and now and then hold the number of the
card that paid, alone, in groups, or run together with its expiry date. What is free text is masked
before it is stored, to the first six and last four digits, which PCI DSS 4.0 (requirement 3.4.1)
allows to be shown. What has to stay as it was sent, such as a client's own id, is refused instead.

``luhn.py`` says what counts as a card's number: its first digits, its length and its check digit
do. One in ten other numbers of such a beginning and length passes too, and is masked without harm.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import compress
from typing import Any
from unicodedata import digit

from pave.core import luhn

# What is said of such a number where it is refused.
CARD_REFUSED = "This looks like a card number, which Pave must not keep."

_SHORTEST, _LONGEST = luhn.SHORTEST, luhn.LONGEST
_KEPT_BEFORE, _KEPT_AFTER = 6, 4
# The fields of a transaction that are free text.
_TEXTS = ("description", "city")

_DIGITS = b"0123456789"
_IS_DIGIT = bytes(byte in _DIGITS for byte in range(256))
# What parts two runs of digits that are read together: a letter, which no run has.
_PARTED = "x"
_GAPS = bytes(byte for byte in range(256) if byte not in _DIGITS + _PARTED.encode())
_IS_NO_GAP = bytes(byte not in _GAPS for byte in range(256))

# What may stand between digits: whatever is no letter and no digit. Three of them, since people
# write " - ". No mask has fewer than three stars in a row of digits, so that a masked text, by
# whomever, stays as it is.
_NO_MASK = r"(?!\*{3})"
_GAP = rf"{_NO_MASK}[^0-9A-Za-z]{{0,3}}+"
_RUN = re.compile(
    rf"(?<![0-9])[0-9](?:{_GAP}[0-9]){{{_SHORTEST - 1}}}+"
    rf"[0-9]*+(?:{_NO_MASK}[^0-9A-Za-z]{{1,3}}+[0-9]++)*+"
)
# Letters that look like none: the lengthening marks of Japanese, the fillers of Korean.
_NO_LETTERS = "\u30fc\uff70\u3164\u115f\u1160\uffa0"
# How cards have their number printed: in one piece, or in groups with the same gap between them.
_IN_GROUPS = re.compile(
    r"""[0-9]+
    | [0-9]{4} ([^0-9]+) [0-9]{4}\1 [0-9]{4}\1 [0-9]{1,4} (?:\1[0-9]{1,3})?
    | [0-9]{4} ([^0-9]+) [0-9]{6}\2 [0-9]{4,5}
    | [0-9]{6} [^0-9]+ (?:[0-9]{10}|[0-9]{13})
    | [0-9]{8} [^0-9]+ [0-9]{8}""",
    re.VERBOSE,
)
# Or in single digits; as far as the gaps are the same.
_SINGLE = r"[0-9](?![0-9])"
_SINGLES = re.compile(
    rf"(?<![0-9]){_SINGLE}(?=([^0-9{_PARTED}]+){_SINGLE})(?:\1{_SINGLE}){{{_SHORTEST - 1},}}+"
)
# What stands behind the number on a card's magnetic stripe (ISO/IEC 7813, track 2).
_TRACK = re.compile(rf"[Dd=](?<=[0-9]{{{_SHORTEST}}}.)(?=[0-9]{{7}})")
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
# Coordinates and rates: a card has no point so early in its number.
_DECIMAL = re.compile(r"(?<![0-9.])[0-9]{1,3}\.[0-9]{8,}(?![0-9.])")
# An account's number as ISO 13616 has it, alone or in groups of four.
_IBAN = re.compile(
    r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?(?![0-9A-Za-z])"
)
# Dates that are glued to a card's number: 05/28 and 05/2028 behind it, these and 2026-11-20 before.
_MONTH, _YEAR = "(?:0[1-9]|1[0-2])", "[/.-](?:20)?[2-9][0-9]"
_DATE_BEHIND = re.compile(rf"{_MONTH}(?<=[0-9]{{{_SHORTEST + 2}}}){_YEAR}(?![0-9])")
_DATE_BEFORE = re.compile(
    rf"(?<![0-9])(?:20[0-9]{{2}}[/.-][0-9]{{2}}[/.-][0-9]{{2}}|{_MONTH}{_YEAR})"
    rf"(?=[0-9]{{{_SHORTEST},{_LONGEST}}}(?![0-9]))"
)


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
    runs = list(_RUN.finditer(plain))
    if not runs:
        return text
    hidden = _Runs(run[0] for run in runs).hidden()
    if not hidden:
        return text
    shown = list(text)
    is_digit = plain.encode().translate(_IS_DIGIT)
    digits: list[int] = []
    for run in runs:
        digits += compress(range(*run.span()), is_digit[slice(*run.span())])
        digits.append(-1)  # what parts it from the next, and is never hidden
    for place in compress(digits, hidden):
        shown[place] = "*"
    return "".join(shown)


def masked_value(value: str) -> str:
    """Return ``value``, which may be an id or a token of somebody's, masked if it holds a card.

    ``masked`` alone would change every second number of twenty digits.
    """
    return masked(value) if holds_card_number(value) else value


def holds_card_number(text: str) -> bool:
    """Return whether ``text`` is a card number, or holds one as cards have it printed.

    Stricter than ``masked``, for what must stay as it is: a longer number is no card's, and neither
    is a hexadecimal id such as a UUID, an IBAN or a coordinate, whatever stands within them.
    """
    plain = _TRACK.sub(" ", _plain(text))
    found = _RUN.findall(_IBAN.sub(_unless_iban, _DECIMAL.sub("x", _HEXADECIMAL.sub("x", plain))))
    if not found:
        return False
    runs = _Runs(found)
    return runs.has_any() and (
        bool(_ALONE.fullmatch(plain) and runs.is_one())
        or runs.has_printed()
        or runs.has_printed_beside_dates()
    )


def _unless_iban(found: re.Match[str]) -> str:
    """Return what looks like an IBAN, or a letter in its place if its check digits are right."""
    text = found[0].replace(" ", "")
    number = int("".join(str(int(character, 36)) for character in text[4:] + text[:4]))
    return "x" if number % 97 == 1 else found[0]


class _Runs:
    """Runs of digits and gaps, and the card numbers in them.

    What is said of digits is said as in ``luhn.py``: a byte for each, in one integer.

    Args:
        texts: The runs.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._text = "".join(f"{text}{_PARTED}" for text in texts)
        self._digits = self._text.encode().translate(None, _GAPS)
        self._cards = luhn.card_numbers(self._digits)

    def has_any(self) -> bool:
        """Return whether there is a card number in them, however written."""
        return bool(self._cards)

    def is_one(self) -> bool:
        """Return whether all of the first run's digits are a card number."""
        length = self._digits.index(_PARTED.encode())
        return bool(self._cards.get(length, 0) & 1)

    def has_printed(self) -> bool:
        """Return whether a card number is in them as cards have it printed."""
        return any(self._printed().values())

    def has_printed_beside_dates(self) -> bool:
        """Return whether there is one if dates that are glued to others are set apart."""
        parted = _DATE_BEFORE.sub(r"\g<0> ", _DATE_BEHIND.sub(r" \g<0>", self._text))
        return parted != self._text and _Runs(parted.split(_PARTED)[:-1]).has_printed()

    def hidden(self) -> bytes:
        """Return 1 for each digit that is to be hidden.

        What cuts a group of digits in two is no card number if it overlaps one in print: else a
        date beside that would now and then take its first or last digits along.
        """
        if not self.has_any():
            return b""
        cards = self._cards
        if taken := luhn.covered(self._printed()):
            across = dict(zip(luhn.LENGTHS, luhn.containing(taken), strict=True))
            cards = {
                length: found ^ (found & across[length] & ~self._whole.get(length, 0))
                for length, found in cards.items()
            }
        hidden = begun = 0
        # Of those that begin at one place the longest hides what the others do, and more.
        for length in reversed(luhn.LENGTHS):
            begun |= cards.get(length, 0)
            hidden |= begun << 8 * (length - _KEPT_AFTER - 1)
        for place in range(_KEPT_BEFORE, _SHORTEST - _KEPT_AFTER - 1):
            hidden |= begun << 8 * place
        return hidden.to_bytes((hidden.bit_length() + 7) // 8, "little")

    @cached_property
    def _groups(self) -> tuple[int, int]:
        """The first digits of groups, and the last ones."""
        text = self._text.encode()
        digits = luhn.lanes(text.translate(_IS_DIGIT))
        firsts = digits ^ (digits & digits << 8)
        lasts = digits ^ (digits & digits >> 8)
        # What parts runs is at the beginning of what is behind it; and gaps are left out.
        marks = luhn.lanes(text.translate(_IS_NO_GAP))
        firsts |= marks ^ digits
        marks |= firsts << 1 | lasts << 2
        kept = marks.to_bytes(len(text), "little").translate(None, b"\0")
        ones = luhn.lanes(b"\1" * len(kept))
        return luhn.lanes(kept) >> 1 & ones, luhn.lanes(kept) >> 2 & ones

    @cached_property
    def _whole(self) -> dict[int, int]:
        """The card numbers that cut no group."""
        firsts, lasts = self._groups
        return {
            length: whole
            for length, found in self._cards.items()
            if (whole := found & firsts & lasts >> 8 * (length - 1))
        }

    def _printed(self) -> dict[int, int]:
        """Return by length the card numbers that are as cards have them printed."""
        whole = self._whole
        if not whole:
            return {}
        firsts, _ = self._groups
        text = self._text.encode()
        digits = list(compress(range(len(text)), text.translate(_IS_NO_GAP)))
        second = firsts >> 8
        grouped = firsts ^ (firsts & (second | second >> 8 | second >> 16))  # four digits or more
        printed = {
            length: luhn.marked(
                place
                for place in luhn.places(found & grouped)
                if _IN_GROUPS.fullmatch(self._text, digits[place], digits[place + length - 1] + 1)
            )
            for length, found in whole.items()
        }
        if any(found & second for found in whole.values()):
            for place, count in self._single_digits():
                for length, found in whole.items():
                    begun = luhn.lanes(b"\1" * (count - length + 1)) << 8 * place
                    printed[length] |= found & begun
        return printed

    def _single_digits(self) -> Iterator[tuple[int, int]]:
        """Yield where digits begin that stand singly with the same gaps, and how many these are."""
        text, place, at = self._text.encode(), 0, 0
        while run := _SINGLES.search(self._text, at):
            place += len(text[at : run.start()].translate(None, _GAPS))
            count = len(text[slice(*run.span())].translate(None, _GAPS))
            yield place, count
            # The last digit may be the first one of the next.
            place, at = place + count - 1, run.end() - 1


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
    others = {ord(character): _plain_character(character) for character in set(text)}
    return text.translate(others)


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if character.isdigit():
        return str(digit(character))
    return "x" if character.isalnum() and character not in _NO_LETTERS else " "
