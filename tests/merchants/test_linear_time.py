"""No text that a client can send takes much longer than another of its length."""

import gc
import itertools
import re
import time
from collections.abc import Iterable, Iterator

import pytest

from merchants.matching.descriptor.bank_patterns import (
    AMBIGUOUS_WORDS,
    CASH,
    MOVEMENTS,
    PREFIXES,
    STRONG_WORDS,
    SUFFIXES,
    WEAK_WORDS,
)
from merchants.matching.descriptor.parser import MAX_LENGTH
from merchants.matching.heuristic import PaveHeuristic, Transaction
from tests.merchants.test_heuristic import catalogue

AT_MOST = 20  # times as long as plain text
PLAIN = (
    "THE QUICK BROWN FOX JUMPS OVER LAZY DOGS WHILE SEVEN BAKERS MAKE FRESH BREAD NEAR A HARBOUR ",
    "HARBOR BOOKS 0412 PORTLAND ME NETFLIX.COM LOS GATOS CA SQ *LOWE FAMILY FARM KUNA ID ",
)
SEPARATORS = " \t.,;:!?/\\|&*#+-–—_'\"’()[]@°№\xa0\u2003\x00\u200b"
WIDE = " " * 26
REPEATED = [
    # What rails print
    *("CARD ", "VISA ", "POS ", "PIN ", "DEBIT ", "SQ *", "TST*", "PAYPAL *", "PP*", "X*"),
    *("12/03 ", "31.01.2024 ", "12JAN24 ", "12:34 ", "12.34 ", "XXXX1234 ", "*1234 "),
    *("1", "1 ", "12 ", "1234 ", "12345 ", "123456789", "#1 ", "#", "#a", "A1", "1A1", "1-1"),
    *("NO.", "REF1", "REF ", "USD 1.00 ", "1.00 USD ", "10.00 GBP,"),
    # How they arrange their columns
    *("//", "// ", "A//B ", "A/B/", " DES:", " TYPE: ", "CO:", "NAAM:", "/NAME/", "/TRTP/"),
    *(
        "WIRE BNF:",
        "WIRE TYPE:A ",
        "BNF:A ID:",
        "ORIG:A BK:",
        "INDN:A ",
        "TO JANE DOE ",
        "J SMITH ",
    ),
    *(" 1 A ST STE 2", " PO BOX 1", "12345-1234 ", "SPRINGFIELD, IL "),
    *("UPI-", "VIN/", "ORIG ID ", "PAS1,", "TARJ ", "IHR EINKAUF BEI ", "NAME, ", "1.00 GBP,"),
    # Addresses
    *("https://", "https://   ", "http", "www.", "www. ", "a.", "a.b.", "a-", "a.com ", "co.uk"),
    *("855-973-1040 ", "+49 170 1234567 ", "X-", "X", "0", "(555)", "94103 ", "SW1A 1AA "),
    *(" 12 MAIN STREET", "CA ", "NSW ", "GB ", "PARIS ", "SAN FRANCISCO", "SAINT ", "NORTH "),
    *("ST ", "COLUMBUS OH ", "COM.", "ACTION."),
    # Names
    *("A.B.C.", "A,", "A&B ", "O'", "D'A ", "A B ", "AaA", "S ", "GAS ", "THE ", "OF "),
    *("LTD ", "INC, ", "GMBH.", "STARBUCKS "),
    # Scripts
    *("é ", "É", "e\u0301", "\u0301", "a\u0301\u0323\u0331", "\u0323\u0301", "ß ", "İ", "ﬃ", "ﷺ"),
    *("字 ", "Ωa", "٣", "aжa ", "\ud800", "😀", "Å", "ǆ", "\u202e", "א ", "각", "①"),
]
# Found by a search that kept the slowest texts and changed them further.
FOUND = [
    *("VIS      RE ", "RE RE ", "EÉ  ", "é/", "CA/", "1.2 ", "RE,", "R,E,", "NR*NR*", "G G "),
    *(f"#1{WIDE}US{WIDE}*1234  ", "//      ", f"NOKEXCHANGE{WIDE}{WIDE}", "DDA  DDA", "O'/"),
    *("VISA  PIN  ", "ORDER,AANKOOP-", "TELEPHONE#1234567890   ", "ECHTZEIT.BANK._  ", "A.B.C./"),
    *("MERCI      ", "-#", "BIC#", "KUP*PRELEVEMENT*//*MREF  ", "TRAMITE 12.34 ", "NON-RETURNED"),
    *("SAMSUNG VALEUR BIZUM      ", "CO.CO.", "CHEZ.TRF.TO.CART#", "+*", f"LIQUIDACI{WIDE}US"),
    *("№*OUTGOING ", "X-XX", "INSIDE , ", "12ZZAZA", "1FEBFEB", "A  Z ", "MANDATEIDID"),
]


def filled(unit: str) -> Iterator[str]:
    """Yield the unit over and over, alone, behind and before what spoils it, and spread out."""
    yield unit * MAX_LENGTH
    yield unit * ((MAX_LENGTH - 2) // len(unit)) + "Z!"
    yield "Z! " + unit * MAX_LENGTH
    yield (unit.strip() + "  ") * MAX_LENGTH
    yield (unit.strip() + WIDE) * MAX_LENGTH


def rail_phrases() -> Iterator[str]:
    """Yield every word of the rails' phrases over and over."""
    patterns = "|".join((*PREFIXES, *SUFFIXES, *CASH, *MOVEMENTS))
    words = set(re.findall(r"[^\W\d_]{2,}", re.sub(r"\\[a-zA-Z]", " ", patterns)))
    for word in sorted({*words, *STRONG_WORDS, *WEAK_WORDS, *AMBIGUOUS_WORDS}):
        yield f"{word} " * MAX_LENGTH
        yield f"{word}  " * (MAX_LENGTH // (len(word) + 2) - 1) + "~"
        yield f"~ {word} " + f"{word}1 " * MAX_LENGTH


def gaps() -> Iterator[str]:
    """Yield words with wide gaps between, in pairs of widths."""
    yield "X" + " " * 380 + "Z" + " CARD" * 23
    for one in (1, 2, 24, 25, 26, 100, 240, 380):
        for other in (1, 2, 24, 25, 26, 120):
            for behind in ("Z", "CARD ", "12/03", "#1", "//", "LTD", "-", ""):
                yield f"X{' ' * one}Z{' ' * other}{behind} " * MAX_LENGTH


FAMILIES = {
    "separators": [
        text
        for one in SEPARATORS
        for text in (
            one * MAX_LENGTH,
            f"A{one * MAX_LENGTH}",
            *filled(f"A{one}"),
            *filled(f"A {one} "),
        )
    ],
    "pairs of separators": [
        text
        for one in ".,;:/&*#-'\""
        for other in ".,;:/&*#-'\""
        for text in (f"A{one}{other}" * MAX_LENGTH, f"{one}{other} " * MAX_LENGTH)
    ],
    "repeated": [text for unit in REPEATED for text in filled(unit)],
    "found": [text for unit in FOUND for text in filled(unit)],
    "gaps": list(gaps()),
    "rail phrases": list(rail_phrases()),
}


@pytest.fixture(scope="module")
def heuristic() -> PaveHeuristic:
    return PaveHeuristic(catalogue())


_numbers = itertools.count()


def cpu_seconds(
    heuristic: PaveHeuristic, text: str, *, enough: float = 0.0, runs: int = 6
) -> float:
    """Return what key and match take at best, measured again while it is more than ``enough``."""
    best = float("inf")
    for _ in range(runs):
        # Each time with another city, or the heuristic remembers the text.
        transaction = Transaction(text, city=f"NOWHERE {next(_numbers)}")
        begun = time.thread_time()
        heuristic.key(transaction)
        heuristic.match(transaction)
        best = min(best, time.thread_time() - begun)
        if best <= enough:
            break
    return best


def slow_ones(heuristic: PaveHeuristic, texts: Iterable[str]) -> list[str]:
    """Return the texts that take over ``AT_MOST`` times as long as plain ones, and how long."""
    plain = min(cpu_seconds(heuristic, (text * MAX_LENGTH)[:MAX_LENGTH]) for text in PLAIN)
    slow = []
    for text in texts:
        cut = text[:MAX_LENGTH]
        taken = cpu_seconds(heuristic, cut, enough=AT_MOST * plain)
        if taken > AT_MOST * plain:
            slow.append(f"{taken / plain:.0f} times: {cut[:60]!r} … {cut[-20:]!r}")
    return slow


@pytest.mark.parametrize("family", FAMILIES)
def test_no_text_takes_much_longer_than_a_plain_one(heuristic: PaveHeuristic, family: str) -> None:
    gc.collect()
    gc.disable()  # a collection takes longer than the texts, and comes when it likes
    try:
        assert slow_ones(heuristic, FAMILIES[family]) == []
    finally:
        gc.enable()
