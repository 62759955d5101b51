"""Which of many digits are a card's number, found for all of them at once.

Pure. A text of nothing but digits is full of card numbers by chance, and a client may fill an
upload with such texts. So nothing here goes from digit to digit: a byte stands for each digit, all
of these bytes for one large integer (the first digit the lowest), and sums of neighbours are sums
of such integers, moved by a byte for each place between.

A number counts as a card's if its first digits are an issuer's, its length is one that this issuer
uses, and its check digit is right (the Luhn formula of ISO/IEC 7812-1, annex B). The ranges are
those that the card schemes publish of the identification numbers that ISO/IEC 7812-2 gives them.
"""

from collections.abc import Iterable, Iterator, Mapping

SHORTEST, LONGEST = 13, 19
LENGTHS = range(SHORTEST, LONGEST + 1)

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
    # Uzcard 8600, ArCa 9051, Belkart 9112, NAPAS 9704, Troy 9792, Humo 9860: by two digits, since
    # all four would not fit into a byte (``_steps``).
    ("86", "86", (16,)),
    ("90", "91", (16,)),
    ("97", "98", (16,)),
)

# Bits of a byte, for a place in a row of digits: the lowest says that the 13 digits from there are
# a card's number, the next one that the 14 are.
_BITS = {length: 1 << place for place, length in enumerate(LENGTHS)}
# What a byte that is no digit counts as: it begins no number, and none goes across it.
_NO_DIGIT = 10

_VALUES = bytes(byte - ord("0") if chr(byte) in "0123456789" else _NO_DIGIT for byte in range(256))
_PLAIN = bytes([*range(10), *bytes(246)])
# What a digit counts at every second place of the Luhn formula.
_DOUBLED = bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9, *bytes(246)])
_IS_NO_DIGIT = bytes(value == _NO_DIGIT for value in range(256))
_ENDS_IN_NOUGHT = bytes(value % 10 == 0 for value in range(256))


def card_numbers(digits: bytes) -> dict[int, int]:
    """Return, by the lengths of which there are any, where card numbers begin.

    Such places are the bytes of 1 in an integer.

    Args:
        digits: In ASCII. What is no digit parts those before it from those behind it; the last
            byte must be such a one.
    """
    values = digits.translate(_VALUES)
    issued = _issued(values)
    parted = lanes(values.translate(_IS_NO_DIGIT))
    ones = lanes(b"\1" * len(digits))
    numbers = {}
    for length, total, across in zip(LENGTHS, _luhn_sums(values), containing(parted), strict=True):
        begun = issued & ones & ~across
        issued >>= 1
        if begun:  # seldom, where there are few digits
            sums = total.to_bytes(len(digits) + 1, "little")
            if found := lanes(sums.translate(_ENDS_IN_NOUGHT)) & begun:
                numbers[length] = found
    return numbers


def lanes(marks: bytes | bytearray) -> int:
    """Return bytes as one integer, the first of them the lowest."""
    return int.from_bytes(marks, "little")


def places(marks: int) -> Iterator[int]:
    """Yield the places of the bytes that are 1, in order."""
    found = marks.to_bytes((marks.bit_length() + 7) // 8, "little")
    place = found.find(1)
    while place >= 0:
        yield place
        place = found.find(1, place + 1)


def containing(marks: int) -> Iterator[int]:
    """Yield for each length the places from which so many digits have a marked one among them."""
    found = marks
    for step in (1, 2, 4, 5):  # 13 in all
        found |= found >> 8 * step
    for length in LENGTHS:
        yield found
        found |= marks >> 8 * length


def marked(some: Iterable[int]) -> int:
    """Return the integer that has bytes of 1 at these places."""
    found = list(some)
    marks = bytearray(max(found, default=0) + 1)
    for place in found:
        marks[place] = 1
    return lanes(marks)


def covered(numbers: Mapping[int, int]) -> int:
    """Return the places of all digits of numbers, given by their lengths as where they begin."""
    taken = 0
    for length, begun in numbers.items():
        done = 1
        while done < length:
            step = min(done, length - done)
            begun |= begun << 8 * step
            done += step
        taken |= begun
    return taken


def _luhn_sums(values: bytes) -> tuple[int, ...]:
    """Return for each length the sums of the Luhn formula of so many digits from each place.

    No sum is larger than a byte can hold: 19 digits of 9 make 171.
    """
    # The last digit counts plainly, so that of an even number of digits the first counts doubly.
    plain, doubled = lanes(values.translate(_PLAIN)), lanes(values.translate(_DOUBLED))
    two = doubled + (plain >> 8)
    four = two + (two >> 16)
    eight = four + (four >> 32)
    twelve = eight + (four >> 64)
    fourteen = twelve + (two >> 96)
    sixteen = eight + (eight >> 64)
    eighteen = sixteen + (two >> 128)
    return (
        plain + (twelve >> 8),
        fourteen,
        plain + (fourteen >> 8),
        sixteen,
        plain + (sixteen >> 8),
        eighteen,
        plain + (eighteen >> 8),
    )


def _lengths() -> list[int]:
    """Return for each number of four digits the bits of the lengths that go on from there."""
    lengths_from = [0] * 10_000
    for first, last, lengths in _RANGES:
        bits = sum(_BITS[length] for length in lengths if length in _BITS)
        for beginning in range(int(first.ljust(4, "0")), int(last.ljust(4, "9")) + 1):
            lengths_from[beginning] |= bits
    return lengths_from


def _steps() -> tuple[bytes, ...]:
    """Return a table for each of the first four digits, by which beginnings are told apart.

    Each gives what is known after its digit, by what was known before it (the high half of a byte)
    and the digit (the low half). What is known is the number of a class: two beginnings are in the
    same one if all that may follow means the same. The last table gives the bits of the lengths.
    """
    meanings = {f"{beginning:04}": bits for beginning, bits in enumerate(_lengths())}
    tables = []
    for size in (3, 2, 1, 0):
        classes: dict[tuple[int, ...], int] = {(0,) * 10: 0}  # 0: no issuer's
        table = bytearray(256)
        shorter = {}
        for beginning in dict.fromkeys(longer[:size] for longer in meanings):
            follows = tuple(meanings[f"{beginning}{digit}"] for digit in range(10))
            known = classes.setdefault(follows, len(classes) << 4) if size else 0
            table[known : known + 10] = bytes(follows)
            shorter[beginning] = known
        tables.append(bytes(table))
        meanings = shorter
    return tuple(reversed(tables))


_STEPS = _steps()


def _issued(values: bytes) -> int:
    """Return for each place the bits of the lengths that its next four digits stand for."""
    digits = lanes(values)
    known = values.translate(_STEPS[0])
    for number, step in enumerate(_STEPS[1:], start=1):
        pairs = lanes(known) | digits >> 8 * number
        known = pairs.to_bytes(len(values), "little").translate(step)
    return lanes(known)
