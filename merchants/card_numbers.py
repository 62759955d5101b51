"""Card numbers in free text, which Pave must not keep.

Pure. Descriptors are written by terminals and by people, and now and then hold the number of the
card that paid. It is masked before a row is written, to the first six and last four digits, which
PCI DSS 4.0 (requirement 3.4.1) allows to be shown.
"""

import re
from typing import Any

# 13 to 19 digits (ISO/IEC 7812-1), perhaps in groups; those of payment cards begin with 2 to 6.
_CANDIDATE = re.compile(r"(?<![0-9])[2-6](?:[ -]?[0-9]){12,18}(?![0-9])")
_KEPT_BEFORE, _KEPT_AFTER = 6, 4
_SHORTEST = 13
# The fields of a transaction that are free text; an amount of many digits is no card.
_TEXTS = ("description", "city", "reference")


def without_card_numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a transaction's fields as they may be stored: card numbers in them are masked."""
    texts = {
        name: masked(text)
        for name in _TEXTS
        if (text := fields.get(name)) and len(text) >= _SHORTEST
    }
    return {**fields, **texts}


def masked(text: str) -> str:
    """Return ``text`` with the middle of every card number in it replaced by ``*``.

    A number counts as a card's if its check digit is right (the Luhn formula of ISO/IEC 7812-1,
    annex B). One in ten other long numbers passes that too, and is masked without harm.
    """
    return _CANDIDATE.sub(lambda found: _mask(found[0]), text)


def _mask(number: str) -> str:
    digits = [char for char in number if char.isdigit()]
    if not _passes_luhn(digits):
        return number
    hidden = range(_KEPT_BEFORE, len(digits) - _KEPT_AFTER)
    shown = []
    place = 0
    for char in number:
        if char.isdigit():
            shown.append("*" if place in hidden else char)
            place += 1
        else:
            shown.append(char)
    return "".join(shown)


def _passes_luhn(digits: list[str]) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
