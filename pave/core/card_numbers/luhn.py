"""Finds all card numbers in a run of digits at once.

Pure. A long run of digits contains many card numbers by chance, and a client may fill an upload
with such texts. So no loop visits single digits: each digit is a byte of one large integer (the
first digit the lowest), and sums of neighbours are sums of such integers, shifted by bytes.

A card number has an issuer's first digits, a length that this issuer uses, and a correct check
digit (the Luhn formula of ISO/IEC 7812-1, annex B). The ranges are those that the card schemes
publish of their identification numbers (ISO/IEC 7812-2).
"""

from collections.abc import Iterable, Iterator, Mapping

SHORTEST, LONGEST = 13, 19
LENGTHS = range(SHORTEST, LONGEST + 1)

# The first and the last prefix of each range, and the lengths of its numbers.
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

# Bits for a position: the lowest says that 13 digits from there are a card number, the next that 14
# are, and so on.
_BITS = {length: 1 << bit for bit, length in enumerate(LENGTHS)}
# The value of a byte that is no digit: no number contains it.
_NO_DIGIT = 10

_VALUES = bytes(byte - ord("0") if chr(byte) in "0123456789" else _NO_DIGIT for byte in range(256))
_PLAIN = bytes([*range(10), *bytes(246)])
# The value of a digit at every second position of the Luhn formula.
_DOUBLED = bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9, *bytes(246)])
_IS_NO_DIGIT = bytes(value == _NO_DIGIT for value in range(256))
_ENDS_IN_ZERO = bytes(value % 10 == 0 for value in range(256))


def card_numbers(digits: bytes) -> dict[int, int]:
    """Return where card numbers begin, by their length.

    The positions are the bytes of 1 in an integer.

    Args:
        digits: In ASCII. Any other byte is a separator; the last byte must be one.
    """
    values = digits.translate(_VALUES)
    issued = _issued(values)
    separators = to_integer(values.translate(_IS_NO_DIGIT))
    ones = to_integer(b"\1" * len(digits))
    numbers = {}
    for length, total, across_separator in zip(
        LENGTHS, _luhn_sums(values), containing(separators), strict=True
    ):
        starts = issued & ones & ~across_separator
        issued >>= 1
        if starts:  # rarely, for few digits
            sums = total.to_bytes(len(digits) + 1, "little")
            if valid_starts := to_integer(sums.translate(_ENDS_IN_ZERO)) & starts:
                numbers[length] = valid_starts
    return numbers


def to_integer(marks: bytes | bytearray) -> int:
    """Return bytes as one integer, the first byte the lowest."""
    return int.from_bytes(marks, "little")


def positions(marks: int) -> Iterator[int]:
    """Yield the positions of the bytes that are 1, in order."""
    data = marks.to_bytes((marks.bit_length() + 7) // 8, "little")
    position = data.find(1)
    while position >= 0:
        yield position
        position = data.find(1, position + 1)


def containing(marks: int) -> Iterator[int]:
    """Yield for each length the positions from which so many digits include a marked one."""
    windows = marks
    for step in (1, 2, 4, 5):  # 13 in all
        windows |= windows >> 8 * step
    for length in LENGTHS:
        yield windows
        windows |= marks >> 8 * length


def from_positions(marked: Iterable[int]) -> int:
    """Return the integer with bytes of 1 at these positions."""
    indexes = list(marked)
    marks = bytearray(max(indexes, default=0) + 1)
    for index in indexes:
        marks[index] = 1
    return to_integer(marks)


def covered(numbers: Mapping[int, int]) -> int:
    """Return the positions of all digits of numbers, given where they begin, by length."""
    covered_digits = 0
    for length, starts in numbers.items():
        width = 1
        while width < length:
            step = min(width, length - width)
            starts |= starts << 8 * step
            width += step
        covered_digits |= starts
    return covered_digits


def _luhn_sums(values: bytes) -> tuple[int, ...]:
    """Return for each length the Luhn sums of so many digits from each position.

    Each sum fits into a byte: 19 digits of 9 make 171.
    """
    # The last digit is not doubled, so with an even number of digits the first is.
    plain, doubled = to_integer(values.translate(_PLAIN)), to_integer(values.translate(_DOUBLED))
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
    """Return for each prefix of four digits the bits of the lengths of its card numbers."""
    lengths_from = [0] * 10_000
    for first, last, lengths in _RANGES:
        bits = sum(_BITS[length] for length in lengths if length in _BITS)
        for beginning in range(int(first.ljust(4, "0")), int(last.ljust(4, "9")) + 1):
            lengths_from[beginning] |= bits
    return lengths_from


def _steps() -> tuple[bytes, ...]:
    """Return a state machine's transition table for each of the first four digits.

    Each table maps the state before its digit (the high half of a byte) and the digit (the low
    half) to the next state. Two prefixes share a state if all their continuations mean the same.
    The last table gives the bits of the lengths.
    """
    meanings = {f"{beginning:04}": bits for beginning, bits in enumerate(_lengths())}
    tables = []
    for size in (3, 2, 1, 0):
        classes: dict[tuple[int, ...], int] = {(0,) * 10: 0}  # 0: no issuer's
        table = bytearray(256)
        shorter = {}
        for beginning in dict.fromkeys(longer[:size] for longer in meanings):
            follows = tuple(meanings[f"{beginning}{digit}"] for digit in range(10))
            state = classes.setdefault(follows, len(classes) << 4) if size else 0
            table[state : state + 10] = bytes(follows)
            shorter[beginning] = state
        tables.append(bytes(table))
        meanings = shorter
    return tuple(reversed(tables))


_STEPS = _steps()


def _issued(values: bytes) -> int:
    """Return for each position the bits of the lengths that its next four digits allow."""
    digits = to_integer(values)
    states = values.translate(_STEPS[0])
    for number, step in enumerate(_STEPS[1:], start=1):
        pairs = to_integer(states) | digits >> 8 * number
        states = pairs.to_bytes(len(values), "little").translate(step)
    return to_integer(states)
