"""Card numbers in texts: found however they are written, masked, and nothing else changed."""

import itertools
import random
import sys
import time
import unicodedata
import uuid

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pave.core.card_numbers import luhn
from pave.core.card_numbers.masking import (
    holds_card_number,
    masked,
    masked_value,
    without_card_numbers,
)
from tests import slow_card_numbers

# Numbers that card schemes and payment providers publish for testing.
VISA, AMEX, MASTERCARD = "4111111111111111", "378282246310005", "5555555555554444"

# A beginning of each range, and a length that its numbers have.
ISSUED = [
    (beginning, length)
    for beginnings, lengths in [
        (["4"], [13, 16, 19]),
        (["51", "55", "2221", "2720"], [16]),
        (["34", "37"], [15]),
        (["6011", "644", "649", "65", "3528", "3589", "62"], [16, 17, 18, 19]),
        (["300", "305", "3095", "36", "38", "39"], [14, 16, 19]),
        (["50", "56", "58", "6"], [13, 16, 19]),
        (["2200", "2204"], [16, 19]),
        (["60", "65", "81", "82", "508"], [16]),
        (["8600", "9051", "9112", "9704", "9792", "9860"], [16]),
    ]
    for beginning in beginnings
    for length in lengths
]
GAPS = ["", " ", "  ", "-", ".", "/", "_", ",", " - ", "\t", "\n"]
GAPS += [
    "\u00a0",  # no-break space
    "\u2009",  # thin space
    "\u3164",  # Hangul filler
    "\uffa0",  # the same in half width
    "\u3000",  # ideographic space
    "\u2010",  # hyphen
    "\u2011",  # non-breaking hyphen
    "\u2012",  # figure dash
    "\u2013",  # en dash
    "\u2014",  # em dash
    "\u2212",  # minus
    "\uff0d",  # full-width hyphen-minus
    "\u30fc",  # the lengthening mark of Japanese, which is written as a dash
    "\u00ad",  # soft hyphen
    "\u200b",  # zero-width space
    "\u200d",  # zero-width joiner
    "\u2060",  # word joiner
    "\ufe0f\u20e3",  # what makes a digit a keycap
    "·",
    "•",
    "*",
    "**",
    " * ",
]
# The digits of all scripts, and those in circles, brackets and small, by their value.
DIGITS = {
    value: [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if unicodedata.digit(char, None) == value
    ]
    for value in range(10)
}


@st.composite
def card_numbers(draw):
    beginning, length = draw(st.sampled_from(ISSUED))
    rest = length - len(beginning) - 1
    digits = beginning + "".join(
        draw(st.lists(st.sampled_from("0123456789"), min_size=rest, max_size=rest))
    )
    return next(
        digits + check for check in "0123456789" if slow_card_numbers.luhn(digits + check) == 0
    )


@st.composite
def written(draw):
    """A card number in one piece, in groups, or with a gap of its own behind each digit."""
    number = draw(card_numbers())
    if draw(st.booleans()):
        number = "".join(
            DIGITS[int(digit)][draw(st.integers(0, 60)) % len(DIGITS[int(digit)])]
            for digit in number
        )
    one = draw(st.sampled_from(GAPS))
    every = draw(st.sampled_from([1, 4, 20]))
    mixed = draw(st.booleans())
    text, positions = "", []
    for place, char in enumerate(number):
        if place and place % every == 0:
            text += draw(st.sampled_from(GAPS)) if mixed else one
        positions.append(len(text))
        text += char
    return text, positions


AROUND = st.text(max_size=20) | st.text("0123456789 -/.*XA", max_size=20)


@given(AROUND, written(), AROUND)
@example(
    "CARD PAYMENT ",
    ("4111 1111 1111 1111", [*range(4), *range(5, 9), *range(10, 14), *range(15, 19)]),
    " 05/28",
)
@example("", (VISA, list(range(16))), "0528")
@example("050", ("3 9 5 1 9 4 0 0 1 2 4 0 0 0 0 6 9 9 4", list(range(0, 37, 2))), "")
def test_no_card_number_gets_through_whatever_stands_around_it(before, number, after):
    number, positions = number
    text = before + number + after
    shown = masked(text)
    assert len(shown) == len(text)
    assert all(new in (old, "*") for old, new in zip(text, shown, strict=True))
    clear = [shown[len(before) + place] != "*" for place in positions[6:-4]]
    assert "1" * 7 not in "".join("01"[one] for one in clear)
    assert masked(shown) == shown


@given(written())
def test_of_a_number_alone_the_first_six_and_the_last_four_digits_are_shown(number):
    number, positions = number
    text = f"PAID BY {number} NETFLIX"
    hidden = {place + len("PAID BY ") for place in positions[6:-4]}
    for place, char in enumerate(masked(text)):
        if place in hidden:
            assert char == "*"
    assert holds_card_number(number)


@given(st.text() | st.text("0123456789 -./*Ax", max_size=60))
def test_nothing_but_digits_is_changed_and_a_second_time_nothing(text):
    shown = masked(text)
    assert len(shown) == len(text)
    for old, new in zip(text, shown, strict=True):
        assert new == old or (new == "*" and old.isdigit())
    assert masked(shown) == shown


@given(st.lists(st.text("0123456789", max_size=12), max_size=12).map(" ref ".join))
def test_a_text_without_thirteen_digits_in_a_row_stays(text):
    assert masked(text) == text
    assert not holds_card_number(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"POS {VISA} NETFLIX", "POS 411111******1111 NETFLIX"),
        ("PAID BY 4111 1111 1111 1111", "PAID BY 4111 11** **** 1111"),
        ("5555-5555-5555-4444", "5555-55**-****-4444"),
        (AMEX, "378282*****0005"),
        ("3782 822463 10005", "3782 82**** *0005"),
        (f"{VISA} {MASTERCARD}", "411111******1111 555555******4444"),
        (f"{VISA}{MASTERCARD}", "411111******1111555555******4444"),
        # A date, a store or an amount beside it stays, and takes none of its digits along.
        ("CARD PAYMENT 4111 1111 1111 1111 05/28", "CARD PAYMENT 4111 11** **** 1111 05/28"),
        (
            f"PURCHASE 2026-11-20 {VISA} KWIK SHOP",
            "PURCHASE 2026-11-20 411111******1111 KWIK SHOP",
        ),
        (f"STORE 23 {VISA}", "STORE 23 411111******1111"),
        # Glued to its expiry date, where 19 digits of these are a card's number too.
        (f"{VISA}0528", "411111*********10528"),
        (f"REF 9{VISA}", "REF 9411111******1111"),
        ("4111 - 1111 - 1111 - 1111", "4111 - 11** - **** - 1111"),
        ("4111*1111*1111*1111", "4111*11********1111"),
        (f"PAYPAL *{VISA}", "PAYPAL *411111******1111"),
        (f"a{VISA}b", "a411111******1111b"),
        ("４１１１１１１１１１１１１１１１", "４１１１１１******１１１１"),
        ("④①①① ①①①① ①①①① ①①①①", "④①①① ①①** **** ①①①①"),
        # Characters that are two digits each.
        ("PAY 4111⑪⑪⑪⑪⑪⑪ É", "PAY 4111⑪***⑪⑪ É"),
    ],
)
def test_card_numbers_are_masked(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "NETFLIX.COM 866-579-7172 CA",
        "ORDER 4111111111111112",  # wrong check digit
        "REF 2026111000010042",  # no issuer's
        "SOLD 411111111111111",  # a length that Visa does not use
        "411111111111",  # too short
        "4111111111x11111",  # a letter within
        "4111 1111    1111 1111",  # gaps too wide
        # Masked before, by whomever.
        "4111********1111",
        "4111-****-****-1111",
        "4111 **** **** 1111",
        "411111******1111",
        "4222222***222",
        "************1111",
        "①②③④⑤⑥⑦⑧⑨①②③④⑤",
        "",
    ],
)
def test_other_numbers_stay(text):
    assert masked(text) == text


@pytest.mark.parametrize("number", ["4" * 500, "6" * 500, "4444 " * 100, "６é-" * 166])
def test_a_text_of_nothing_but_digits_is_read_to_its_end(number):
    text = f"{number} x {VISA}"
    assert masked(text).endswith(" x 411111******1111")


@pytest.mark.parametrize(
    "text",
    [
        VISA,
        f" {VISA}\n",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "41.11 1111/1111.1111",  # nothing else in it, however it is grouped
        f"order-{VISA}",
        f"order_{VISA}_2",
        f"PAN{VISA}",
        "acc4111111111111111",  # hexadecimal digits, but no id
        "2026 4111 1111 1111 1111",
        "4111 1111 1111 1111 05/28",
        "card 3782-822463-10005",
        "card ４１１１１１１１１１１１１１１１",
        f"{VISA}-2",
        "4111*1111*1111*1111",
        f"a{VISA}b",
        f"{VISA}b",
        f"{VISA}05/28",
        f"{VISA}12-2028",
        f"05/28{VISA}",
        f"2026-11-20{VISA}",
        f";{VISA}=28051010000?",  # as the second track of a card has it
        f"{VISA}D28051010000",
        "card 41111111 11111111 exp",
        "card 411111 1111111111",
        "pan: 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    ],
)
def test_an_id_that_is_a_card_number_or_has_one_in_print_is_told(text):
    assert holds_card_number(text)
    assert masked_value(text) == masked(text) != text


@pytest.mark.parametrize(
    "text",
    [
        "2026111000010042",
        "4111111111111112",
        f"{VISA}0528",  # a longer number
        f"order-9{VISA}",
        "12345678901234567890",
        "4111 11-11 111 11111 t",  # digits in a row, but not as cards have them
        "41111111-1111-4111-8111-111111111111",
        "e4111111111111111a09c3d2",
        "4111********1111",
        "411111******1111",
        f"{VISA}13/28",  # no month
        "+49 4111 111 111 111",
        "DE89370400440532013000",
        "GB29 NWBK 6016 1331 9268 19",
        "DE42 2670 1361 4567 5283 86",
        "52.5702100309281",
        "-52.5702100309281,13.4050123456789",
        "https://hooks.example.com/v1/0190c2a4-7e1b-7d3a-9c58-4111111111ab/orders/2026111000010042",
        "t-1",
        "",
    ],
)
def test_other_ids_are_not(text):
    assert not holds_card_number(text)
    assert masked_value(text) == text


def test_what_only_looks_like_an_account_or_a_decimal_is_told():
    assert holds_card_number(f"DE42 {VISA[:4]} {VISA[4:8]} {VISA[8:12]} {VISA[12:]}")
    assert holds_card_number(f"12.5 {VISA}")
    assert holds_card_number("4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1")


def test_no_coordinate_is_taken_for_a_card_number():
    source = random.Random(4111)
    for _ in range(20_000):
        assert not holds_card_number(repr(source.uniform(-180, 180)))


def test_no_uuid_is_taken_for_a_card_number():
    source = random.Random(4111)
    for _ in range(20_000):
        identifier = str(uuid.UUID(int=source.getrandbits(128), version=4))
        assert not holds_card_number(identifier)
        assert not holds_card_number(f"tx-{source.randrange(10**8):08}-{identifier}")


def test_of_a_transaction_the_texts_are_masked_and_nothing_else():
    fields = {
        "description": f"A {VISA}",
        "city": f"B {VISA}",
        "amount": "4111111111111111",
        "reference": "2026111000010042",
        "metadata": {"card": VISA, VISA: "x", "id": f"{VISA}0528"},
    }
    assert without_card_numbers(fields) == {
        **fields,
        "description": "A 411111******1111",
        "city": "B 411111******1111",
        "metadata": {
            "card": "411111******1111",
            "411111******1111": "x",
            "id": f"{VISA}0528",
        },
    }
    assert without_card_numbers({"description": "A", "city": ""}) == {
        "description": "A",
        "city": "",
    }


# Of such parts whatever a client may send to have many numbers found, and as much around them.
PARTS = [
    *("6", "7", "67", "6767", "67676767", "4", "1111", "41", "05", "20", "0", "9"),
    *(VISA, AMEX, MASTERCARD, "4222222222222", "6011000990139424", "6767676767676767"),
    *(" ", " ", "-", " - ", ".", "/", "*", "***", "    ", "x", "D", "=", "a", "é", "ー", "٣", "①"),
    *("05/28", "12-2028", "2026-11-20", "D28051010000", "=28051010000", "13/28", "abcdef01"),
]
REPEATED = st.builds(
    lambda unit, times: unit * times,
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("".join),
    st.integers(1, 30),
)


@settings(max_examples=200)
@given(
    st.lists(REPEATED | st.text("0123456789", max_size=40) | written().map(lambda one: one[0]))
    .map("".join)
    .map(lambda text: text[:120])
)
@example("6 7 6-7-6-7-6-7-6-7-6-7-6-7-6-7-6-7 6 7 6 7 6 7 6 7 6 7 6 7 6 7 6 7")
@example(f"{VISA}05/28 2026-11-20{VISA} 41111111111111110528")
def test_all_numbers_at_once_are_the_same_as_one_by_one(text):
    assert holds_card_number(text) == slow_card_numbers.holds_card_number(text)
    assert masked(text) == slow_card_numbers.masked(text)


def test_the_beginnings_and_lengths_are_those_of_the_issuers():
    source = random.Random(16)
    for beginning, length in itertools.product(range(10_000), luhn.LENGTHS):
        rest = "".join(source.choices("0123456789", k=length - 5))
        digits = next(
            f"{beginning:04}{rest}{check}"
            for check in "0123456789"
            if not slow_card_numbers.luhn(f"{beginning:04}{rest}{check}")
        )
        found = luhn.card_numbers(f"{digits}x".encode()).get(length, 0)
        assert bool(found & 1) == slow_card_numbers.is_card_number(digits), digits


@pytest.mark.parametrize(
    "unit",
    [
        *("6", "67", "6 7 ", "6 7-", "6.7.", "6767 ", "67676767 ", "6767-6767 ", "4111 1111 1111 "),
        *(f"{VISA} ", f"{VISA}x", f"{VISA}    ", f"{VISA}05/28", f"05/28{VISA} ", f"{AMEX} - "),
        *("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 - ", "1 " * 12 + "x", "6é", "٦٧", "411111 1111111111 "),
    ],
)
def test_no_value_takes_much_longer_than_to_look_at_each_character(unit):
    value = (unit * 500)[:500]

    def seconds(do):
        best = float("inf")
        for _ in range(20):
            begun = time.thread_time()
            do()
            best = min(best, time.thread_time() - begun)
        return best

    look = seconds(lambda: sum(map(str.isdigit, value)))
    assert seconds(lambda: masked_value(value)) < 60 * look
