"""Whose name stands in a text: no person's is ever a merchant's where money was handed over."""

import pytest

from merchants.catalogue.sources.shipped import load_shipped
from merchants.matching.booking.persons import is_person
from merchants.matching.heuristic import CatalogueMerchant, PaveHeuristic
from merchants.matching.reading import read
from merchants.matching.text.normalize import words_of
from merchants.matching.types import Transaction

NAMES = [
    "JANE DOE", "MARIA GARCIA", "DOE JANE", "GARCIA, MARIA", "MUELLER HANS", "MAX MUSTERMANN",
    "J SMITH", "JOHN A SMITH", "MR J SMITH", "HERR OTTO WEBER", "PATRICK O'BRIEN", "JAN JANSEN",
    "ANNE-MARIE DUPONT", "JOSE DA SILVA", "LUIS GARCIA LOPEZ", "ANNA KOWALSKA", "PRIYA SHARMA",
    "MOHAMMED ALI", "KIM PARK", "JANE PARIS", "Grace Jones",
]  # fmt: skip
# How money is handed over without a card, and what it was: {} is whom it went to or came from.
WORDINGS = {
    "person_to_person": """
        FPS TO {}
        {} FPS
        WIRE TYPE:BOOK OUT DATE:241103 TIME:1022 ET TRN:2024110300 BNF:{} ID:1234 PMT DET:RENT
        WIRE TYPE:WIRE IN DATE: 241103 TIME:1022 ET TRN:2024 ORIG:{} ID:12 SND BK:FERN ID:1
        GOOGLE PAY TO {}
        APPLE PAY TO {}
        ALIPAY TO {}
        CHECK 1234 {}
        CHEQUE 000123 {}
        CASHIERS CHECK {}
        PAYMENT TO {}
        PAYMENT TO {} AMAZON
        {} NETFLIX PAYMENT
        PAYMENT FROM {}
        PAYPAL TRANSFER {}
        PAYPAL *TRANSFER {}
        PAYPAL XFER {}
        PAYPAL SENT TO {}
        PAYPAL PAYMENT FROM {}
        WISE TRANSFER {}
        TRANSFER {}
        TRANSFER {} AMAZON
        WIRE {}
        REMITTANCE {}
        P2P {}
        ALLOWANCE {}
        PAYEE {}
        ONLINE PAYMENT {}
        ONLINE PAYMENT TO {} REF 12345
        INTERNET BANKING PAYMENT {}
        WEB PMT {}
        MB WAY {}
        INSTAPAY {}
        DUITNOW {}
        TED {}
        DOC {}
        EFT {}
        BACS {}
        GIRO {}
        To {}
        From {}
        SENT TO {}
        RECEIVED FROM {}
        PAID TO {}
        GIFT FOR {}
        LOAN FROM {}
        {} LOAN REPAYMENT
        {} RENT
        RENT {}
        CHILD SUPPORT {}
        DEPOSIT {}
        WITHDRAWAL {}
        {} TRANSFER
        PAGO A {}
        PAGAMENTO A {}
        BETALING AAN {}
        PLATBA {}
        SCHENKUNG AN {}
        CADEAU POUR {}
        REGALO PARA {}
        """,
    "bill_payment": """
        STANDING ORDER {}
        STANDING ORDER TO {} RENT
        {} STANDING ORDER
        STANDING ORDER {} REVOLUT
        SEPA LASTSCHRIFT {} MIETE
        DAUERAUFTRAG MIETE {}
        BILL PAY {}
        DIRECT DEBIT {}
        ACH DEBIT {}
        PRLV SEPA {}
        RECIBO {}
        AUTOGIRO {}
        """,
    "refund": """
        REVERSAL ZELLE TO {}
        REFUND FROM {}
        GUTSCHRIFT {}
        REMBOURSEMENT {}
        """,
    "tax": "TAX REFUND {}",
    "transfer": """
        PAYPAL INST XFER {}
        PAYPAL INST XFER 230401 {}
        """,
}
COMPANIES = [
    ("STANDING ORDER NETFLIX", "Netflix", "bill_payment"),
    ("SEPA LASTSCHRIFT VODAFONE GMBH", "Vodafone", "bill_payment"),
    ("BILL PAY COMCAST", "Xfinity", "bill_payment"),
    ("PAYMENT TO FERNDALE WIDGETS LTD", "Ferndale Widgets", "purchase"),
    ("FPS TO FERNDALE WIDGETS LTD", "Ferndale Widgets", "bill_payment"),
    ("MB WAY PINGO DOCE", "Pingo Doce", "person_to_person"),
    ("WIRE TYPE:WIRE OUT DATE:241103 TRN:2024 BNF:FERNDALE WIDGETS LTD ID:12", "Ferndale Widgets",
     "bill_payment"),
    ("STANDING ORDER JOHN SMITH PLUMBING", "John Smith Plumbing", "bill_payment"),
    ("PAYMENT TO MARIA GARCIA BAKERY", "Maria Garcia Bakery", "purchase"),
    ("SEPA LASTSCHRIFT MARIA HILF KLINIKEN", "Maria Hilf Kliniken", "bill_payment"),
    ("DIRECT DEBIT JOHN LEWIS FINANCE", "John Lewis Finance", "bill_payment"),
    ("BILL PAY AUSTIN ENERGY", "Austin Energy", "bill_payment"),
    ("PAYMENT TO DR JANE WONG DDS", "Dr. Jane Wong DDS", "purchase"),
    ("PAYMENT TO PAUL SMITH", "Paul Smith", "person_to_person"),  # a brand of the catalogue
    ("REFUND WILLOW CRAFTS", "Willow Crafts", "refund"),
    ("ONLINE PAYMENT GEORGIA POWER", "Georgia Power", "purchase"),
    # Paid by card, as one's own shop or trade.
    ("JANE DOE", "Jane Doe", "purchase"),
    ("SQ *JANE DOE", "Jane Doe", "purchase"),
    ("POS PURCHASE JANE DOE", "Jane Doe", "purchase"),
    ("CARD PAYMENT TO JANE DOE", "Jane Doe", "purchase"),
    ("JIMMY JOHNS - 1022 - MOB", "Jimmy John's", "purchase"),
    ("DA MATTEO", "Da Matteo", "purchase"),
    # Shops that are called as a transfer is.
    ("TRANSFER PIZZERIA MILWAUKEE WI", "Transfer Pizzeria", "purchase"),
    ("TRANSFER STATION CAFE", "Transfer Station Cafe", "purchase"),
    ("WIRE ROAD SOAPS AUSTIN TX", "Wire Road Soaps", "purchase"),
    ("SOFI LOAN", "SoFi", "purchase"),
    # Traders who are paid by Cash App.
    ("SQC*DEVON PRICE 8774174551 CA", "Devon Price", "purchase"),
    ("SQC*FERN GRILL", "Fern Grill", "purchase"),
    ("SQC*ZZQX BORP 8774174551 CA", "ZZQX Borp", "purchase"),
]  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> PaveHeuristic:
    return PaveHeuristic(
        CatalogueMerchant(
            record.key, record.name, record.website, record.mccs, record.countries,
            record.category, record.aliases,
        )
        for record in load_shipped()
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wording", "kind"),
    [
        (line.strip(), kind)
        for kind, lines in WORDINGS.items()
        for line in lines.strip().split("\n")
    ],
)
def test_whoever_money_was_handed_to_is_no_merchant(
    whole: PaveHeuristic, wording: str, kind: str
) -> None:
    for name in NAMES:
        transaction = Transaction(wording.format(name))
        match, reading = whole.match(transaction), read(transaction)
        assert (match.name, match.method, match.merchant_id) == ("n/a", "none", None), name
        assert (reading.kind, reading.channel) == (kind, "unknown"), name
        assert [other.type for other in reading.counterparties][-1] == "person", name
        assert whole.key(transaction).shared, name  # and nothing of the name is in the key


@pytest.mark.parametrize(("text", "name", "kind"), COMPANIES)
def test_a_company_stays_a_merchant(whole: PaveHeuristic, text: str, name: str, kind: str) -> None:
    assert (whole.match(Transaction(text)).name, read(Transaction(text)).kind) == (name, kind)


@pytest.mark.parametrize(
    "text",
    [
        "To Jane", "From Mum", "PAYMENT TO JANE", "GIFT FOR MARIA", "PAYMENT TO TOM AMAZON",
        "PAYPAL TO JANE", "ALLOWANCE TOM", "TOM ALLOWANCE", "RENT MARIA", "GIFT TOM", "LOAN TOM",
        "MIETE ANNA", "BABYSITTER MARIA",
    ],
)  # fmt: skip
def test_a_first_name_alone_is_a_persons_where_the_text_says_so(
    whole: PaveHeuristic, text: str
) -> None:
    match = whole.match(Transaction(text))
    assert (match.name, read(Transaction(text)).kind) == ("n/a", "person_to_person")


@pytest.mark.parametrize(
    "text",
    [
        "TRANSFER {}", "TRANSFERS {}", "TRANSFER - {}", "TRANSFER: {}", "WIRE {}", "REMITTANCE {}",
        "PAYPAL TRANSFER {}", "REVOLUT TRANSFER {}", "P2P {}", "ALLOWANCE {}", "TASCHENGELD {}",
        "TRANSFER {} AMAZON", "SQC*{}",
    ],
)  # fmt: skip
def test_behind_a_transfers_words_even_an_unknown_name_is_no_merchants(
    whole: PaveHeuristic, text: str
) -> None:
    transaction = Transaction(text.format("XQZ BORP"))
    match, key = whole.match(transaction), whole.key(transaction)
    assert "borp" not in f"{match.name} {key.text}".casefold()
    assert read(transaction).kind == "person_to_person"


@pytest.mark.parametrize(
    "text", ["SQC*{}", "SQC* {}", "SQC*{} 8774174551 CA", "SQC*{} SAN FRANCISCO CA", "SQC {}"]
)
def test_who_was_paid_by_cash_app_is_no_merchant(whole: PaveHeuristic, text: str) -> None:
    for name in NAMES:
        match = whole.match(Transaction(text.format(name)))
        reading = read(Transaction(text.format(name)))
        assert match.name in ("n/a", "Cash App"), name
        assert (reading.kind, reading.counterparties[-1].type) == ("person_to_person", "person")


def test_what_the_money_was_for_is_no_company(whole: PaveHeuristic) -> None:
    assert whole.match(Transaction("FPS TO JANE DOE FOR GAS")).name == "n/a"


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("JANE DOE", True),
        ("DOE JANE", True),
        ("J DOE", True),
        ("JANE VAN DER BERG", True),
        ("JANE ZZQX", True),
        ("AUSTIN ZZQX", False),
        ("ROSE GARDEN", False),
        ("JANE BAKERY", False),
        ("JANE", False),
        ("BLUE FERN", False),
        ("JANE 2", False),
        ("", False),
    ],
)
def test_a_name_is_known_by_its_parts(name: str, person: bool) -> None:
    assert is_person(words_of(name)) is person


@pytest.mark.parametrize(
    "text",
    [
        "INTERNATIONAL WIRE FROM JANE DOE", "INWARD PAYMENT JANE DOE",
        "JOINT ACCT TRANSFER JANE DOE AND BOB SMITH", "TRANSFER LIDL JANE DOE", "STO JANE DOE",
        "PAYMENT TO JANE & JOHN DOE", "Payment to Jane D.", "PAYMENT TO J.DOE",
        "PAYMENT TO JANE.DOE", "PAYMENT TO JOHN.SMITH@MAIL.EXAMPLE", "BABYSITTER JANE DOE",
        "WISE JANE DOE", "BLIK JAN KOWALSKI",
    ],
)  # fmt: skip
def test_a_name_is_found_behind_other_words_and_between_signs(text):
    assert read(Transaction(text)).kind == "person_to_person"
    assert PaveHeuristic(()).match(Transaction(text)).name == "n/a"
