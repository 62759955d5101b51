"""Card numbers found one by one, as anybody would: what the fast way has to come to as well."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from unicodedata import digit

Span = tuple[int, int]

RANGES = [
    ("4", "4", [13, 16, 19]),
    ("51", "55", [16]),
    ("2221", "2720", [16]),
    ("34", "34", [15]),
    ("37", "37", [15]),
    ("6011", "6011", range(16, 20)),
    ("644", "659", range(16, 20)),
    ("3528", "3589", range(16, 20)),
    ("300", "305", range(14, 20)),
    ("3095", "3095", range(14, 20)),
    ("36", "36", range(14, 20)),
    ("38", "39", range(14, 20)),
    ("62", "62", range(16, 20)),
    ("50", "50", range(13, 20)),
    ("56", "58", range(13, 20)),
    ("6", "6", range(13, 20)),
    ("2200", "2204", range(16, 20)),
    ("60", "60", [16]),
    ("65", "65", [16]),
    ("81", "82", [16]),
    ("508", "508", [16]),
    *((one, one, [16]) for one in ("86", "90", "91", "97", "98")),
]
GAP = r"(?!\*{3})[^0-9A-Za-z]{0,3}+"
RUN = re.compile(rf"(?<![0-9])[0-9](?:{GAP}[0-9]){{12,}}+")
PRINTED = re.compile(
    r"""[0-9]+
    | [0-9]{4} ([^0-9]+) [0-9]{4}\1 [0-9]{4}\1 [0-9]{1,4} (?:\1[0-9]{1,3})?
    | [0-9]{4} ([^0-9]+) [0-9]{6}\2 [0-9]{4,5}
    | [0-9]{6} [^0-9]+ (?:[0-9]{10}|[0-9]{13})
    | [0-9]{8} [^0-9]+ [0-9]{8}
    | [0-9] ([^0-9]+) [0-9] (?:\3[0-9])+""",
    re.VERBOSE,
)
TRACK = re.compile(r"(?<=[0-9]{13})[Dd=](?=[0-9]{7})")
ALONE = re.compile(rf"[^0-9A-Za-z]*(?:[0-9]{GAP}){{13,19}}[^0-9A-Za-z]*")
HEXADECIMAL = re.compile(
    r"""(?<![0-9A-Za-z])(?:
        [0-9A-Fa-f]{8} (?:-[0-9A-Fa-f]{4}){3} -[0-9A-Fa-f]{12}
        | (?=[A-Fa-f]*+[0-9]++[A-Fa-f]++[0-9]) [0-9A-Fa-f]{16,}+
    )(?![0-9A-Za-z])""",
    re.VERBOSE,
)
DECIMAL = re.compile(r"(?<![0-9.])[0-9]{1,3}\.[0-9]{8,}(?![0-9.])")
ACCOUNT = re.compile(
    r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?(?![0-9A-Za-z])"
)
EXPIRY = r"(?:0[1-9]|1[0-2])[/.-](?:20)?[2-9][0-9]"
GLUED_DATE = re.compile(
    rf"""(?<=[0-9]{{13}}) (?={EXPIRY}(?![0-9]))
    | (?<![0-9]) (?:20[0-9]{{2}}[/.-][0-9]{{2}}[/.-][0-9]{{2}} | {EXPIRY})
      (?=[0-9]{{13,19}}(?![0-9]))""",
    re.VERBOSE,
)


def luhn(digits: str) -> int:
    """Return the sum of the Luhn formula modulo 10, which is 0 where the check digit is right."""
    values = [int(one) for one in reversed(digits)]
    return (sum(values[::2]) + sum(sum(divmod(2 * value, 10)) for value in values[1::2])) % 10


def is_card_number(digits: str) -> bool:
    """Return whether all of the digits are a card number."""
    return luhn(digits) == 0 and len(digits) in lengths(digits[:4])


@cache
def lengths(beginning: str) -> set[int]:
    """Return how long the numbers are that begin with these four digits."""
    return {
        length
        for first, last, some in RANGES
        if first <= beginning[: len(first)] <= last
        for length in some
    }


def masked(text: str) -> str:
    """Return what ``pave.core.card_numbers.masking.masked`` has to."""
    shown, read = list(text), plain(text)
    for run in RUN.finditer(read):
        places = [place for place in range(*run.span()) if read[place].isdigit()]
        for start, end in all_cards(run[0]):
            for place in places[start + 6 : end - 4]:
                shown[place] = "*"
    hidden = "".join(shown)
    return hidden if hidden == text else masked(hidden)


def holds_card_number(text: str) -> bool:
    """Return what ``pave.core.card_numbers.masking.holds_card_number`` has to."""
    read = TRACK.sub(" ", plain(text))
    if (
        ALONE.fullmatch(read)
        and not DECIMAL.search(read)
        and is_card_number(re.sub("[^0-9]", "", read))
    ):
        return True
    read = DECIMAL.sub("x", HEXADECIMAL.sub("x", read))
    read = ACCOUNT.sub(lambda found: "x" if is_iban(found[0]) else found[0], read)
    return any(
        printed(run[0])
        for variant in (read, GLUED_DATE.sub(r"\g<0> ", read))
        for run in RUN.finditer(variant)
    )


def is_iban(text: str) -> bool:
    """Return whether the check digits are right, letter by letter (ISO 7064, MOD 97-10)."""
    rest = 0
    for character in (text[4:] + text[:4]).replace(" ", ""):
        value = int(character, 36)
        rest = (rest * (100 if value > 9 else 10) + value) % 97
    return rest == 1


def all_cards(run: str) -> list[Span]:
    """Return the card numbers in a run, but those that cut a group and overlap one in print."""
    taken = {place for span in printed(run) for place in range(*span)}
    kept = whole(run)
    return [span for span in windows(run) if span in kept or not taken.intersection(range(*span))]


def windows(run: str) -> Iterator[Span]:
    """Yield all that are card numbers, as places among the digits."""
    digits = re.sub("[^0-9]", "", run)
    for start, length in product(range(len(digits)), range(13, 20)):
        if start + length <= len(digits) and is_card_number(digits[start : start + length]):
            yield start, start + length


def whole(run: str) -> dict[Span, str]:
    """Return those that cut no group of digits, as they are written."""
    beginnings, ends, count = {}, {}, 0
    for group in re.finditer("[0-9]+", run):
        beginnings[count] = group.start()
        count += len(group[0])
        ends[count] = group.end()
    return {
        (start, end): run[beginnings[start] : ends[end]]
        for start, end in windows(run)
        if start in beginnings and end in ends
    }


def printed(run: str) -> list[Span]:
    """Return those that are written as cards have them printed."""
    return [span for span, written in whole(run).items() if PRINTED.fullmatch(written)]


def plain(text: str) -> str:
    """Return a text in ASCII, as ``pave.core.card_numbers.masking`` reads it."""
    if sum(map(str.isdigit, text)) < 13:
        return ""
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    if character.isascii():
        return character
    if character.isdigit():
        return str(digit(character))
    return (
        "x"
        if character.isalnum() and character not in "\u30fc\uff70\u3164\u115f\u1160\uffa0"
        else " "
    )
