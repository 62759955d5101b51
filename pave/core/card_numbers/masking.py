"""Masks card numbers in free text, which Pave must not keep.

Pure. Descriptors, written by terminals and people, sometimes contain the paying card's number:
alone, in groups, or glued to its expiry date. Free text is masked before it is stored, to the first
six and last four digits, which PCI DSS 4.0 (requirement 3.4.1) allows to be shown. What must stay
as it was sent, such as a client's own id, is refused instead.

``luhn.py`` defines a card number by its first digits, length and check digit. One in ten other
numbers with such a beginning and length passes too, and is masked without harm.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import compress
from typing import Any
from unicodedata import digit, normalize

from pave.core.card_numbers import luhn

# The message where such a number is refused.
CARD_REFUSED = "This looks like a card number, which Pave must not keep."

_SHORTEST, _LONGEST = luhn.SHORTEST, luhn.LONGEST
_KEPT_BEFORE, _KEPT_AFTER = 6, 4
# The fields of a transaction that are free text.
_TEXT_FIELDS = ("description", "city")

_DIGITS = b"0123456789"
_IS_DIGIT = bytes(byte in _DIGITS for byte in range(256))
# Separates runs of digits that are examined together: a letter, which no run contains.
_SEPARATOR = "x"
_GAPS = bytes(byte for byte in range(256) if byte not in _DIGITS + _SEPARATOR.encode())
_IS_NO_GAP = bytes(byte not in _GAPS for byte in range(256))

# Between digits: up to three characters that are no letter or digit, since people write " - ".
# Three stars are a mask and no gap, so that masked text stays as it is.
_NO_MASK = r"(?!\*{3})"
_GAP = rf"{_NO_MASK}[^0-9A-Za-z]{{0,3}}+"
_RUN = re.compile(
    rf"(?<![0-9])[0-9](?:{_GAP}[0-9]){{{_SHORTEST - 1}}}+"
    rf"[0-9]*+(?:{_NO_MASK}[^0-9A-Za-z]{{1,3}}+[0-9]++)*+"
)
# Letters that do not look like letters: Japanese lengthening marks, Korean fillers.
_NO_LETTERS = "\u30fc\uff70\u3164\u115f\u1160\uffa0"
# How card numbers are printed: in one piece, or in groups with the same gap between them.
_IN_GROUPS = re.compile(
    r"""[0-9]+
    | [0-9]{4} ([^0-9]+) [0-9]{4}\1 [0-9]{4}\1 [0-9]{1,4} (?:\1[0-9]{1,3})?
    | [0-9]{4} ([^0-9]+) [0-9]{6}\2 [0-9]{4,5}
    | [0-9]{6} [^0-9]+ (?:[0-9]{10}|[0-9]{13})
    | [0-9]{8} [^0-9]+ [0-9]{8}""",
    re.VERBOSE,
)
# Or in single digits, as far as the gaps are the same.
_SINGLE = r"[0-9](?![0-9])"
_SINGLES = re.compile(
    rf"(?<![0-9]){_SINGLE}(?=([^0-9{_SEPARATOR}]+){_SINGLE})(?:\1{_SINGLE}){{{_SHORTEST - 1},}}+"
)
# What follows the number on a card's magnetic stripe (ISO/IEC 7813, track 2).
_TRACK = re.compile(rf"[Dd=](?<=[0-9]{{{_SHORTEST}}}.)(?=[0-9]{{7}})")
_ONE_NUMBER = re.compile(rf"[^0-9A-Za-z]*(?:[0-9]{_GAP}){{{_SHORTEST},{_LONGEST}}}[^0-9A-Za-z]*")
# Hexadecimal ids, with long runs of digits by chance: UUIDs, and digests with letters between
# digits.
_HEXADECIMAL = re.compile(
    r"""(?<![0-9A-Za-z])(?:
        [0-9A-Fa-f]{8} (?:-[0-9A-Fa-f]{4}){3} -[0-9A-Fa-f]{12}
        | (?=[A-Fa-f]*+[0-9]++[A-Fa-f]++[0-9]) [0-9A-Fa-f]{16,}+
    )(?![0-9A-Za-z])""",
    re.VERBOSE,
)
# Coordinates and rates: no card number has a point so early.
_DECIMAL = re.compile(r"(?<![0-9.])[0-9]{1,3}\.[0-9]{8,}(?![0-9.])")
# An account's number as ISO 13616 has it, alone or in groups of four.
_IBAN = re.compile(
    r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?(?![0-9A-Za-z])"
)
# Dates glued to a card number: 05/28 and 05/2028 after it, these and 2026-11-20 before it.
_MONTH, _YEAR = "(?:0[1-9]|1[0-2])", "[/.-](?:20)?[2-9][0-9]"
_DATE_BEHIND = re.compile(rf"{_MONTH}(?<=[0-9]{{{_SHORTEST + 2}}}){_YEAR}(?![0-9])")
_DATE_BEFORE = re.compile(
    rf"(?<![0-9])(?:20[0-9]{{2}}[/.-][0-9]{{2}}[/.-][0-9]{{2}}|{_MONTH}{_YEAR})"
    rf"(?=[0-9]{{{_SHORTEST},{_LONGEST}}}(?![0-9]))"
)


def without_card_numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a transaction's fields with card numbers in its texts masked, ready to be stored.

    Args:
        fields: Named as the model's. ``reference`` stays: one with a card number has been refused.
            In ``metadata``, both names and values may be ids.
    """
    changed: dict[str, Any] = {
        name: masked(fields[name]) for name in _TEXT_FIELDS if fields.get(name)
    }
    if metadata := fields.get("metadata"):
        changed["metadata"] = {
            masked_value(name): masked_value(value) for name, value in metadata.items()
        }
    return {**fields, **changed}


def masked(text: str) -> str:
    """Return ``text`` with the middle of every card number in it replaced by ``*``.

    Any 13 to 19 digits in a row may be one, since terminals print a card number beside a date or
    glued to it. Takes linear time. What is masked stays as it is if it is masked again.
    """
    # The digits beside a number that is masked may look like another one then.
    while (more := _masked_once(text)) != text:
        text = more
    return text


def _masked_once(text: str) -> str:
    plain = _plain(text)
    runs = list(_RUN.finditer(plain))
    if not runs:
        return text
    hidden = _Runs(run[0] for run in runs).hidden()
    if not hidden:
        return text
    characters = list(text)
    origins = range(len(text)) if len(plain) == len(text) else _origins(text)
    is_digit = plain.encode().translate(_IS_DIGIT)
    digits: list[int] = []
    for run in runs:
        digits += compress(range(*run.span()), is_digit[slice(*run.span())])
        digits.append(-1)  # the separator, which is never hidden
    for position in compress(digits, hidden):
        characters[origins[position]] = "*"
    return "".join(characters)


def masked_value(value: str) -> str:
    """Return ``value``, which may be an id or a token, masked if it holds a card number.

    ``masked`` alone would change every second number of twenty digits.
    """
    return masked(value) if holds_card_number(value) else value


def holds_card_number(text: str) -> bool:
    """Return whether ``text`` is a card number, or holds one as it is printed on cards.

    Stricter than ``masked``, for values that must stay as they are: a longer number is no card
    number, nor is any part of a hexadecimal id such as a UUID, an IBAN or a coordinate.
    """
    plain = _TRACK.sub(" ", _plain(text))
    texts = _RUN.findall(_IBAN.sub(_unless_iban, _DECIMAL.sub("x", _HEXADECIMAL.sub("x", plain))))
    if not texts:
        return False
    runs = _Runs(texts)
    return runs.has_any() and (
        bool(_ONE_NUMBER.fullmatch(plain) and runs.is_one())
        or runs.has_printed()
        or runs.has_printed_beside_dates()
    )


def _unless_iban(match: re.Match[str]) -> str:
    """Return what looks like an IBAN, or a letter instead if its check digits are right."""
    text = match[0].replace(" ", "")
    number = int("".join(str(int(character, 36)) for character in text[4:] + text[:4]))
    return "x" if number % 97 == 1 else match[0]


class _Runs:
    """Runs of digits and gaps, and the card numbers in them.

    Sets of digits are represented as in ``luhn.py``: a byte for each digit, in one integer.

    Args:
        texts: The runs.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._text = "".join(f"{text}{_SEPARATOR}" for text in texts)
        self._digits = self._text.encode().translate(None, _GAPS)
        self._cards = luhn.card_numbers(self._digits)

    def has_any(self) -> bool:
        """Return whether they contain a card number, in any notation."""
        return bool(self._cards)

    def is_one(self) -> bool:
        """Return whether all digits of the first run are a card number."""
        length = self._digits.index(_SEPARATOR.encode())
        return bool(self._cards.get(length, 0) & 1)

    def has_printed(self) -> bool:
        """Return whether they contain a card number as it is printed on cards."""
        return any(self._printed().values())

    def has_printed_beside_dates(self) -> bool:
        """Return whether they do once glued dates are separated."""
        separated = _DATE_BEFORE.sub(r"\g<0> ", _DATE_BEHIND.sub(r" \g<0>", self._text))
        return separated != self._text and _Runs(separated.split(_SEPARATOR)[:-1]).has_printed()

    def hidden(self) -> bytes:
        """Return 1 for each digit that must be hidden.

        A candidate that cuts a group in two is no card number if it overlaps a printed one:
        otherwise a date beside that would sometimes include its first or last digits.
        """
        if not self.has_any():
            return b""
        cards = self._cards
        if printed_digits := luhn.covered(self._printed()):
            overlapping = dict(zip(luhn.LENGTHS, luhn.containing(printed_digits), strict=True))
            cards = {
                length: starts ^ (starts & overlapping[length] & ~self._whole.get(length, 0))
                for length, starts in cards.items()
            }
        hidden = begun = 0
        # Of those that begin at one position the longest hides all that the others do.
        for length in reversed(luhn.LENGTHS):
            begun |= cards.get(length, 0)
            hidden |= begun << 8 * (length - _KEPT_AFTER - 1)
        for position in range(_KEPT_BEFORE, _SHORTEST - _KEPT_AFTER - 1):
            hidden |= begun << 8 * position
        return hidden.to_bytes((hidden.bit_length() + 7) // 8, "little")

    @cached_property
    def _groups(self) -> tuple[int, int]:
        """The first digits of groups, and the last ones."""
        text = self._text.encode()
        digits = luhn.to_integer(text.translate(_IS_DIGIT))
        firsts = digits ^ (digits & digits << 8)
        lasts = digits ^ (digits & digits >> 8)
        # A separator starts the group after it; gaps are left out.
        marks = luhn.to_integer(text.translate(_IS_NO_GAP))
        firsts |= marks ^ digits
        marks |= firsts << 1 | lasts << 2
        kept = marks.to_bytes(len(text), "little").translate(None, b"\0")
        ones = luhn.to_integer(b"\1" * len(kept))
        return luhn.to_integer(kept) >> 1 & ones, luhn.to_integer(kept) >> 2 & ones

    @cached_property
    def _whole(self) -> dict[int, int]:
        """The card numbers that do not cut a group."""
        firsts, lasts = self._groups
        return {
            length: whole
            for length, starts in self._cards.items()
            if (whole := starts & firsts & lasts >> 8 * (length - 1))
        }

    def _printed(self) -> dict[int, int]:
        """Return by length the card numbers that are written as on cards."""
        whole = self._whole
        if not whole:
            return {}
        firsts, _ = self._groups
        text = self._text.encode()
        digits = list(compress(range(len(text)), text.translate(_IS_NO_GAP)))
        second = firsts >> 8
        grouped = firsts ^ (firsts & (second | second >> 8 | second >> 16))  # four digits or more
        printed = {
            length: luhn.from_positions(
                position
                for position in luhn.positions(starts & grouped)
                if _IN_GROUPS.fullmatch(
                    self._text, digits[position], digits[position + length - 1] + 1
                )
            )
            for length, starts in whole.items()
        }
        if any(starts & second for starts in whole.values()):
            for position, count in self._single_digits():
                for length, starts in whole.items():
                    begun = luhn.to_integer(b"\1" * (count - length + 1)) << 8 * position
                    printed[length] |= starts & begun
        return printed

    def _single_digits(self) -> Iterator[tuple[int, int]]:
        """Yield the start and number of single digits with the same gaps between them."""
        text, position, index = self._text.encode(), 0, 0
        while run := _SINGLES.search(self._text, index):
            position += len(text[index : run.start()].translate(None, _GAPS))
            count = len(text[slice(*run.span())].translate(None, _GAPS))
            yield position, count
            # The last digit may start the next series.
            position, index = position + count - 1, run.end() - 1


def _plain(text: str) -> str:
    """Return ``text`` in ASCII, with the digits of all scripts as 0 to 9.

    A character is one character there too, except for those that are several digits, such as ⑪. A
    text with too few digits, as most have, becomes empty, since it needs no examination.
    """
    plain = text if text.isascii() else "".join(map(_plain_character, text))
    encoded = plain.encode()
    few = len(encoded) - len(encoded.translate(None, _DIGITS)) < _SHORTEST
    return "" if few else plain


def _origins(text: str) -> list[int]:
    """Return for each character of ``_plain(text)`` the position in ``text`` of its origin."""
    return [at for at, character in enumerate(text) for _ in _plain_character(character)]


@lru_cache(maxsize=4096)
def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if character.isdigit():
        return str(digit(character))
    normal = normalize("NFKC", character)
    if not re.search("[0-9]", normal):
        return "x" if character.isalnum() and character not in _NO_LETTERS else " "
    return "".join(
        part if part.isascii() and part.isdigit() else "x" if part.isalnum() else " "
        for part in normal
    )
