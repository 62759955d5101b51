"""From raw text to its parts."""

import random

import pytest

from merchants.matching.descriptor.bank_wording import strip_bank_wording
from merchants.matching.descriptor.parser import Descriptor, is_noise, parse


def texts(raw: str) -> tuple[str, str | None]:
    found = parse(raw)
    return found.text, found.intermediary


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("CHECKCARD 0712 HARBOR BOOKS PORTLAND ME", "HARBOR BOOKS"),
        ("HARBOR BOOKS 03/21 MOBILE PURCHASE PORTLAND ME", "HARBOR BOOKS"),
        ("PURCHASE AUTHORIZED ON 10/12 HARBOR BOOKS BOISE ID S304112233 CARD 8812", "HARBOR BOOKS"),
        ("AplPay HARBOR BOOKS 0001", "HARBOR BOOKS"),
        ("HARBOR BOOKS DES:PAYMENT ID:441 INDN:A PERSON CO ID:12 WEB", "HARBOR BOOKS"),
        ("HARBOR BOOKS SYDNEY AUS Tap and Pay xx4412 Value Date: 02/01/2025", "HARBOR BOOKS"),
        ("KARTENZAHLUNG HARBOR BOOKS 12345//BERLIN/DE", "HARBOR BOOKS"),
        ("SEPA-LASTSCHRIFT HARBOR BOOKS GMBH RECHNUNG 12/25", "HARBOR BOOKS"),
        ("CARTE 12/03 HARBOR BOOKS CB*4412", "HARBOR BOOKS"),
        ("PRLV SEPA HARBOR BOOKS", "HARBOR BOOKS"),
        ("COMPRA TARJ. 4412XXXXXXXX1122 HARBOR BOOKS VALENCIA", "HARBOR BOOKS"),
        ("PAGAMENTO POS 12/03 14:22 HARBOR BOOKS MILANO", "HARBOR BOOKS"),
        ("BEA, Betaalpas Harbor Books,PAS12 NR:CT1, 31.01.24/12:34 UTRECHT", "Harbor Books"),
        ("KORTKÖP 251103 HARBOR BOOKS UPPSALA", "HARBOR BOOKS"),
        ("*4412 03.11 NOK 219.00 HARBOR BOOKS TRONDHEIM Kurs: 1.0000", "HARBOR BOOKS"),
        ("ZAKUP PRZY UŻYCIU KARTY HARBOR BOOKS KRAKOW", "HARBOR BOOKS"),
        ("Interac purchase - 4412 HARBOR BOOKS KINGSTON ON", "HARBOR BOOKS"),
        ("POS DEBIT VISA CHECK CARD 7731 HARBOR BOOKS #552 SAN DIEGO CA", "HARBOR BOOKS"),
        ("VISA DDA PUR AP 442733 HARBOR BOOKS NEW HAVEN * CT", "HARBOR BOOKS"),
        ("Withdrawal POS #441233 HARBOR BOOKS TIGARD OR", "HARBOR BOOKS"),
        ("Debit Card Purchase 03/12 11:02a #4412 HARBOR BOOKS MISSOULA MT", "HARBOR BOOKS"),
        ("MERCHANT PURCHASE TERMINAL 412001 HARBOR BOOKS EDINA MN", "HARBOR BOOKS"),
        ("PURCHASE WITH CASH BACK $20.00 AUTHORIZED ON 03/04 HARBOR BOOKS", "HARBOR BOOKS"),
        ("EXTERNAL WITHDRAWAL HARBOR BOOKS BILL PAYMENT", "HARBOR BOOKS BILL PAYMENT"),
        ("Withdrawal ACH HARBOR BOOKS TYPE: PAYMENT CO: HARBOR BOOKS", "HARBOR BOOKS"),
        ("Paid To - Harbor Books Chk 4412", "Harbor Books"),
        ("DIRECT DEBIT PAYMENT TO HARBOR BOOKS REF A-1234", "HARBOR BOOKS"),
        ("POS PUR-HARBOR BOOKS FONTANA CA", "HARBOR BOOKS"),
        ("HARBOR BOOKS LTD HARROW", "HARBOR BOOKS"),
        ("SEPA iDEAL IBAN: NL1 BIC: I Naam: Harbor Books Omschrijving: 1", "Harbor Books"),
        ("UPI/P2M/412345678901/HARBOR BOOKS/HDFC BANK/Payment", "HARBOR BOOKS"),
        ("COMPRA TARJ. 4412XXXX1234 HARBOR BOOKS GRAN VIA-MADRID", "HARBOR BOOKS GRAN VIA"),
    ],
)
def test_the_rails_words_are_taken_off(raw: str, text: str) -> None:
    assert parse(raw).text == text


@pytest.mark.parametrize(
    ("raw", "text", "intermediary"),
    [
        ("SQ *HARBOR BOOKS Portland ME", "HARBOR BOOKS", "Square"),
        ("TST* HARBOR BOOKS - EAST Portland ME", "HARBOR BOOKS", "Toast"),
        ("PAYPAL *HARBORBOOKS 4029357733 CA", "HARBORBOOKS", "PayPal"),
        ("SP HARBOR BOOKS", "HARBOR BOOKS", "Shopify"),
        ("SUMUP *HARBOR BOOKS BRISTOL GB", "HARBOR BOOKS", "SumUp"),
        ("Zettle_*Harbor Books Leeds", "Harbor Books", "Zettle"),
        ("AplPay TST* HARBOR BOOKS", "HARBOR BOOKS", "Toast"),
        ("ZQR* HARBOR BOOKS", "HARBOR BOOKS", None),
        ("SQU*SQ *HARBOR BOOKS", "HARBOR BOOKS", "Square"),
        ("PAYPAL INST XFER 230401 HARBOR JOHN DOE", "HARBOR", "PayPal"),
        ("PAYPAL DES:INST XFER ID:HARBOR BOOKS INDN:A PERSON", "HARBOR BOOKS", "PayPal"),
        ("PAYPAL EUROPE S.A.R.L. ET CIE S.C.A HARBOR BOOKS", "HARBOR BOOKS", "PayPal"),
        (
            "PayPal (Europe) S.a r.l. et Cie, S.C.A. 1 PP.44.PP . X, Ihr Einkauf bei Harbor Books",
            "Harbor Books",
            "PayPal",
        ),
        ("KLARNA COLUMBUS OH", "", "Klarna"),
        ("HARBOR BOOKS * HM4K2PQ", "HARBOR BOOKS", None),
    ],
)
def test_the_processor_is_no_merchant(raw: str, text: str, intermediary: str | None) -> None:
    assert texts(raw) == (text, intermediary)


@pytest.mark.parametrize(
    ("raw", "city", "region", "country"),
    [
        ("HARBOR BOOKS PORTLAND ME", "PORTLAND", "US-ME", "US"),
        ("HARBOR BOOKS SAN FRANCISCOCA", "SAN FRANCISCO", "US-CA", "US"),
        ("CORNER BOOKS AND CATAUSTIN              TX", "AUSTIN", "US-TX", "US"),
        ("HARBOR BOOKS MANHATTAN BEACA", "MANHATTAN BEA", "US-CA", "US"),
        ("HARBOR BOOKS S LAKE TAHOE CA", "S LAKE TAHOE", "US-CA", "US"),
        ("HARBOR BOOKS TORONTO ON", "TORONTO", "CA-ON", "CA"),
        ("HARBOR BOOKS GEELONG VIC AU", "GEELONG", "AU-VIC", "AU"),
        ("HARBOR BOOKS WATFORD", "WATFORD", "", ""),
        ("HARBOR BOOKS GURGAON IN", "GURGAON", "", "IN"),
        ("HARBOR BOOKS MÜNCHEN DE", "MÜNCHEN", "", "DE"),
        ("HARBOR BOOKS 800-555-0100 CA", "", "US-CA", "US"),
    ],
)
def test_the_place_is_read(raw: str, city: str, region: str, country: str) -> None:
    found = parse(raw)
    assert (found.city, found.region, found.country) == (city, region, country)


def test_an_unknown_town_in_its_own_column_is_taken_off() -> None:
    assert parse("HARBOR BOOKS        SUNSHINE CITY CA").text == "HARBOR BOOKS"


def test_the_clients_city_is_believed() -> None:
    assert parse("HARBOR BOOKS OBERTUPFINGEN").text == "HARBOR BOOKS OBERTUPFINGEN"
    assert parse("HARBOR BOOKS OBERTUPFINGEN", "DE", "Obertupfingen").text == "HARBOR BOOKS"


def test_numbers_phones_and_legal_forms_are_parts_of_their_own() -> None:
    found = parse("HARBOR BOOKS INC. #0441 800-555-0100 CA")
    assert (found.text, found.store_number, found.phone) == ("HARBOR BOOKS", "0441", "800-555-0100")
    assert found.legal_form == "INC"


def test_a_street_is_no_part_of_the_name() -> None:
    found = parse("HARBOR BOOKS 1204 OCEAN AVE SANTA CRUZ 95060 CA USA")
    assert found.text == "HARBOR BOOKS"
    assert found.street.startswith("1204 OCEAN AVE")


def test_an_address_says_where_the_name_ends() -> None:
    assert parse("HARBORLY PRO HARBORLY.DEV WA").text == "HARBORLY"
    assert parse("HARBORLY.COM 800-555-0100 CA").domain == "harborly.com"
    assert parse("HARBOR SLEIGH RIDES HARBORSLEIGHRID").text == "HARBOR SLEIGH RIDES"


@pytest.mark.parametrize(
    "text", ["INTEREST PAYMENT", "ATM WITHDRAWAL 004412", "TRANSFER 123", "ZINSEN", "", "11/04"]
)
def test_movements_of_the_bank_are_noise(text: str) -> None:
    assert is_noise(text)


@pytest.mark.parametrize("text", ["AT&T", "B & Q", "H-E-B", "FOREVER21", "CASH CONVERTERS"])
def test_names_made_of_initials_are_no_noise(text: str) -> None:
    assert not is_noise(text)


@pytest.mark.parametrize(
    ("raw", "country"), [("PRLV SEPA X", "FR"), ("LASTSCHRIFT X", "DE"), ("HARBOR BOOKS", "")]
)
def test_the_banks_language_hints_at_a_country(raw: str, country: str) -> None:
    assert strip_bank_wording(raw).country == country


def test_no_text_makes_it_raise() -> None:
    chance = random.Random(7)
    alphabet = [
        *"ABCabc019 *#&'./-_,;:()[]//@+\t\n\x00", "é", "ß", "İ", "ﬁ", "中", "ก", "א", "\u200b",
        "\ud7ff", "😀", "\u0301", "²", "½", "SQ *", "CA", "//", "PURCHASE ", "CARTE ", "WWW.",
        ".COM", "800-555-0100", "  ",
    ]  # fmt: skip
    for _ in range(3000):
        raw = "".join(chance.choices(alphabet, k=chance.randrange(0, 60)))
        found = parse(raw)
        assert isinstance(found, Descriptor)
        assert found.raw == raw
    assert parse("x" * 5000).text


@pytest.mark.parametrize("words", ["POS DEBIT", "CARD PURCHASE 03/12", "ACH DEBIT", "EC", "CB"])
@pytest.mark.parametrize("number", ["", " 4412", " #441233", " XXXX4412"])
def test_the_banks_words_never_eat_the_merchant(words: str, number: str) -> None:
    assert "HARBOR BOOKS" in parse(f"{words}{number} HARBOR BOOKS 0412 PORTLAND ME").text


@pytest.mark.parametrize(
    ("raw", "cash", "movement"),
    [
        ("ATM WITHDRAWAL 004412 BOISE ID", True, False),
        ("TD ATM DEBIT 004412 NEWARK NJ", True, False),
        ("RETRAIT DAB 03/04 PARIS", True, False),
        ("INTERAC E-TRANSFER SENT JOHN", False, True),
        ("PIX ENVIADO JOAO DA SILVA", False, True),
        ("FASTER PAYMENTS RECEIPT REF RENT FROM J SMITH", False, True),
        ("NON-STERLING TRANSACTION FEE", False, True),
        ("TRANSFER STATION CAFE", False, False),
        ("LATE NIGHT PIZZA", False, False),
        ("DEPOSIT BAKERY LLC", False, False),
        ("Deposit - ACH Paid From Acme Corp Payroll", False, True),
        ("HARBOR BOOKS", False, False),
    ],
)
def test_cash_and_movements_are_told(raw: str, cash: bool, movement: bool) -> None:
    found = parse(raw)
    assert (found.is_cash, found.is_movement) == (cash, movement)
