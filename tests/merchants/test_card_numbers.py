import pytest

from merchants.card_numbers import masked

# Numbers that card schemes publish for testing.
VISA, AMEX, MASTERCARD = "4111111111111111", "378282246310005", "5555555555554444"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"POS {VISA} NETFLIX", "POS 411111******1111 NETFLIX"),
        ("PAID BY 4111 1111 1111 1111", "PAID BY 4111 11** **** 1111"),
        ("5555-5555-5555-4444", "5555-55**-****-4444"),
        (AMEX, "378282*****0005"),
        (f"{VISA} {MASTERCARD}", "411111******1111 555555******4444"),
    ],
)
def test_card_numbers_are_masked(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "NETFLIX.COM 866-579-7172 CA",
        "ORDER 4111111111111112",  # wrong check digit
        "REF 94111111111111111",  # no card's first digit
        "411111111111",  # too short
        "A 411111111111111111111111111",  # too long
        "①②③④⑤⑥⑦⑧⑨①②③④⑤",
        "",
    ],
)
def test_other_numbers_stay(text):
    assert masked(text) == text
