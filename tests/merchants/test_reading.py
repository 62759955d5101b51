"""What is read from one transaction's own text: channel, place, and who took part."""

import gzip
import json
import string
from pathlib import Path

import pytest
from django.apps import apps
from hypothesis import given, settings
from hypothesis import strategies as st

from merchants.catalogue import rulesets
from merchants.matching.booking import kind as kinds
from merchants.matching.booking import persons
from merchants.matching.descriptor import city_spelling, gazetteer
from merchants.matching.reading import Counterparty, Reading, read
from merchants.matching.text import word_lists
from merchants.matching.types import Transaction

# Of which some list is asked.
TRICKY = [
    "NETFLIX.COM",
    "SQ *BLUE BOTTLE COFFEE OAKLAND CA",
    "PAYMENT TO JOHN SMITH",
    "ZELLE FROM MARIA GARCIA",
    "KARTENZAHLUNG BAECKEREI MUELLER MUENCHEN DE",
    "SO. LAKE TAHOE CA GROCERY OUTLET SOUTH LAKE TA",
    "GREENFIELDORGANICMARKET PORTLAND OR",
    "UNHEARDOFNAME 123",
]
CHANNELS = [
    ("MAPLE OUTFITTERS #12 TULSA OK", "in_store", "store number"),
    ("SQ *MAPLE COFFEE", "in_store", "processor of terminals"),
    ("SUMUP *CAFE LINDE ULM", "in_store", "processor of terminals"),
    ("CONTACTLESS PAYMENT FERN CAFE", "in_store", "terminal wording"),
    ("PAIEMENT SANS CONTACT LIBRAIRIE DU PORT", "in_store", "terminal wording"),
    ("EFTPOS FERN CAFE", "in_store", "terminal wording"),
    ("APPLE PAY FERN CAFE", "in_store", "terminal wording"),
    ("FERN CAFE TULSA OK", "in_store", "town"),
    ("MAPLEOUTFITTERS.COM TULSA OK", "online", "web address"),
    ("POS DEBIT MAPLEOUTFITTERS.COM", "online", "web address"),
    ("AplPay MAPLEOUTFITTERS.COM", "online", "web address"),
    ("ONLINE PURCHASE MAPLE OUTFITTERS TULSA OK", "online", "online wording"),
    ("ACHAT INTERNET LIBRAIRIE DU PORT", "online", "online wording"),
    ("COMPRA INTERNET ZAPATERIA SUR", "online", "online wording"),
    ("ACQUISTO ONLINE NEGOZIO ROSSO", "online", "online wording"),
    ("TRANSAKCJA INTERNETOWA SKLEP OBUWNICZY", "online", "online wording"),
    ("PAYPAL *MAPLEOUTFIT", "online", "processor of online shops"),
    ("KLARNA*SKOBUTIKEN", "online", "processor of online shops"),
    ("DOORDASH*FERN CAFE", "online", "marketplace"),
    ("MAPLE OUTFITTERS 800-555-0142 OK", "online", "phone number without a town"),
    ("TST* FERN CAFE 530-555-0142 CA", "unknown", "signs of both"),
    ("CONTACTLESS MAPLEOUTFITTERS.COM", "unknown", "signs of both"),
    ("MAPLE OUTFITTERS #12 800-555-0142 OK", "unknown", "signs of both"),
    ("UBER *TRIP SAN FRANCISCO CA", "unknown", ""),
    ("MAPLE OUTFITTERS", "unknown", ""),
    ("DIRECT DEBIT FERNDALE WATER REF 0041", "unknown", ""),
    ("ATM WITHDRAWAL 000412 SALEM OR", "unknown", ""),
]
PLACES = [
    ("FERN CAFE #12 OAKLAND CA", {"city": "Oakland", "region": "CA", "country": "US"}),
    ("FERN CAFE #12 OAKLAND CA", {"store_number": "12"}),
    ("FERN CAFE STORE 0412 OAKLAND CA", {"store_number": "0412"}),
    ("FERN CAFE T-3452 OAKLAND CA", {"store_number": "T-3452"}),
    ("FERNFLIX P1550A6E5E STOCKHOLM", {"store_number": "", "city": "Stockholm"}),
    ("FERN CAFE ST LOUIS MO", {"city": "St. Louis", "region": "MO"}),
    ("FERN CAFE S LAKE TAHOE CA", {"city": "South Lake Tahoe"}),
    ("FERN CAFE        SOUTH LAKE TACA", {"city": "South Lake Tahoe"}),
    ("FERN CAFE MCALLEN TX", {"city": "McAllen"}),
    ("FERN CAFE LA MESA CA", {"city": "La Mesa"}),
    ("FERN CAFE Boise ID", {"city": "Boise", "region": "ID"}),
    ("FERN CAFE MONTREAL QC", {"city": "Montréal", "region": "QC", "country": "CA"}),
    ("FERN CAFE GEELONG VIC AU", {"city": "Geelong", "region": "VIC", "country": "AU"}),
    ("CAFE LINDE MUENCHEN DE", {"city": "München", "region": "", "country": "DE"}),
    ("CAFE LINDE KOELN DE", {"city": "Köln"}),
    ("CAFE LINDE ZURICH CH", {"city": "Zürich", "country": "CH"}),
    ("LOJA AZUL SAO PAULO BR", {"city": "São Paulo", "country": "BR"}),
    ("ZAPATERIA SUR BOGOTA CO", {"city": "Bogotá"}),
    ("SKOBUTIKEN GOTEBORG SE", {"city": "Göteborg", "country": "SE"}),
    ("SKLEP OBUWNICZY LODZ PL", {"city": "Łódź", "country": "PL"}),
    ("CIPOBOLT GYOR HU", {"city": "Győr"}),
    ("FERN CAFE 1204 OCEAN AVE SANTA CRUZ 95060 CA USA", {"address": "1204 OCEAN AVE"}),
    ("FERN CAFE 1204 OCEAN AVE SANTA CRUZ 95060 CA USA", {"postal_code": "95060"}),
    ("FERN CAFE 1204 OCEAN AVE SANTA CRUZ 95060 CA USA", {"city": "Santa Cruz"}),
    ("FERN CAFE SALEM OR 97301", {"postal_code": "97301", "store_number": ""}),
    ("FERN CAFE SALEM OR 10001", {"postal_code": "", "store_number": "10001"}),
    ("FERN CAFE MELBOURNE VIC 3000", {"postal_code": "3000", "store_number": ""}),
    ("FERN CAFE MELBOURNE VIC 9412", {"postal_code": ""}),
    ("FERN CAFE LONDON SW1A 1AA GB", {"postal_code": "SW1A 1AA", "city": "London"}),
    ("SKLEP 2211 GDANSK PL", {"address": "", "country": "PL", "city": "Gdańsk"}),
    ("FERN CAFE 800-555-0142 CA", {"phone": "800-555-0142", "city": ""}),
    ("FERN CAFE XXX-XX55611 CA", {"phone": ""}),
    ("FERNCAFE.COM 800-555-0142 CA", {"domain": "ferncafe.com"}),
    ("FERN CAFE 123 MAIN ST SPRINGFIELD IL 62701", {"address": "123 MAIN ST", "region": "IL"}),
    ("FERN CAFE 123 MAIN ST SPRINGFIELD IL 62701", {"postal_code": "62701", "store_number": ""}),
    ("FERN CAFE 123 MAIN ST SPRINGFIELD IL 62701 USA", {"city": "Springfield", "region": "IL"}),
    ("FERN CAFE 123 MAIN ST ANYTOWN, NY 10001-1234", {"city": "Anytown", "region": "NY"}),
    ("FERN CAFE 123 MAIN ST ANYTOWN, NY 10001-1234", {"postal_code": "10001-1234"}),
    ("FERN CAFE 350 FIFTH AVENUE STE 200 NEW YORK NY 10118", {"address": "350 FIFTH AVENUE"}),
    ("FERN CAFE 350 FIFTH AVENUE STE 200 NEW YORK NY 10118", {"city": "New York"}),
    ("FERN CAFE 9 ELM RD ST. PAUL MN 55101", {"address": "9 ELM RD", "city": "St. Paul"}),
    ("FERN CAFE 12 US HWY 41 TAMPA FL 33601", {"address": "12 US HWY 41", "city": "Tampa"}),
    ("FERN CAFE PO BOX 12 SALEM OR 97301", {"address": "PO BOX 12", "postal_code": "97301"}),
    ("FERN CAFE 1 ELM LOOP CUPERTINO CA 95014", {"address": "1 ELM LOOP"}),
    ("FERN CAFE SPRINGFIELD, IL 62701", {"region": "IL", "country": "US"}),
    ("FERN CAFE SPRINGFIELD IL 62701-1234", {"city": "Springfield", "postal_code": "62701-1234"}),
    ("FERN CAFE SPRINGFIELD 62701", {"region": "IL", "postal_code": "62701", "store_number": ""}),
    ("FERN CAFE BERLIN 10115", {"region": "", "postal_code": ""}),
    ("FERN CAFE 4412 EAST ST LOUIS IL", {"address": "", "city": "East Saint Louis"}),
    ("FERN CAFE 412 HARTFORD CT", {"address": "", "city": "Hartford", "store_number": "412"}),
    ("FERN CAFE 555-0142 SALEM OR", {"store_number": ""}),
    ("FERN CAFE TEL 020 7946 0958 LONDON", {"phone": "020 7946 0958", "store_number": ""}),
    ("ATM WITHDRAWAL 004412 SALEM OR", {"store_number": ""}),
    ("CHECK 1044", {"store_number": ""}),
    ("ALIEXPRESS ACME", {"city": "", "country": "", "descriptor": "ALIEXPRESS ACME"}),
    ("ALIEXPRESS LONDON GB", {"city": "London", "country": "GB"}),
]
# A person's surname that is a town's name as well.
SURNAMES = """
    ZELLE TO JANE PARIS
    TRANSFER TO JOHN LONDON
    FPS TO PATRICK O'BRIEN
    ÜBERWEISUNG AN ANNE-MARIE DUPONT
    BILL PAY JANE PARIS
    PAYMENT TO JANE PARIS TX
    UPI/DR/0412000412/JANE PARIS/OKAXIS
    SALARY JANE PARIS
    """
OTHERS = [
    ("SQ *FERN CAFE", [("processor", "Square")]),
    ("KLARNA*SKOBUTIKEN", [("processor", "Klarna")]),
    ("PAYPAL *FERNCAFE", [("wallet", "PayPal")]),
    ("AplPay TST* FERN CAFE", [("processor", "Toast"), ("wallet", "Apple Pay")]),
    ("GOOGLE PAY FERN CAFE", [("wallet", "Google Pay")]),
    ("VENMO *JANET-ROWE", [("wallet", "Venmo"), ("person", None)]),
    ("CASH APP*JANET ROWE", [("wallet", "Cash App"), ("person", None)]),
    ("SWISH TILL SARA LIND", [("wallet", "Swish"), ("person", None)]),
    ("SWISH SKOBUTIKEN NORD AB", [("wallet", "Swish")]),
    ("AMZN MKTP US*2K4TR91A3", [("marketplace", "Amazon")]),
    ("PAYPAL *ETSY INC", [("marketplace", "Etsy"), ("wallet", "PayPal")]),
    ("EBAY O*25-13995-49443", [("marketplace", "eBay")]),
    ("DD *DOORDASH FERNCAFE", [("marketplace", "DoorDash")]),
    ("UBER EATS *FERN CAFE", [("marketplace", "Uber Eats")]),
    ("UBER *EATS PENDING", []),
    ("DELIVEROO", []),
    ("OVERDRAFT FEE", [("bank", None)]),
    ("CREDIT INTEREST", [("bank", None)]),
    ("ZELLE PAYMENT TO JANET ROWE", [("person", None)]),
    ("TRANSFER TO JANE DOE", [("person", None)]),
    ("ONLINE TRANSFER TO SAV XXXXX0041", []),
    ("ÜBERWEISUNG AN STADTWERKE TAL GMBH", []),
    ("FERN CAFE", []),
    ("GOOGLE PAY TO JANE DOE", [("wallet", "Google Pay"), ("person", None)]),
    ("PAYPAL INST XFER JANE DOE", [("wallet", "PayPal"), ("person", None)]),
    ("STANDING ORDER JANE DOE", [("person", None)]),
    ("FERNTEL DES:PAYMENT ID:12 INDN:JANE DOE", []),
]


@pytest.mark.parametrize(("text", "channel", "basis"), CHANNELS)
def test_the_channel_says_what_it_rests_on(text: str, channel: str, basis: str) -> None:
    found = read(Transaction(text))
    assert (found.channel, found.channel_basis) == (channel, basis)


@pytest.mark.parametrize(("text", "place"), PLACES)
def test_the_place_is_written_well(text: str, place: dict[str, str]) -> None:
    found = read(Transaction(text))
    assert {member: getattr(found, member) for member in place} == place


@pytest.mark.parametrize("text", [line.strip() for line in SURNAMES.strip().split("\n")])
def test_a_persons_surname_is_no_place(text: str) -> None:
    found = read(Transaction(text))
    place = found.city, found.region, found.country, found.address, found.postal_code
    assert place == ("",) * 5


def test_the_surname_stays_in_the_descriptor() -> None:
    assert read(Transaction("TRANSFER TO JOHN LONDON")).descriptor == "TRANSFER TO JOHN LONDON"


@pytest.mark.parametrize("word", ["CONTACTLESS", "VISA", "CARD", "TAP", "ONLINE", "POS DEBIT"])
def test_the_banks_word_in_front_of_an_address_is_not_in_the_descriptor(word: str) -> None:
    assert read(Transaction(f"{word} FERNCAFE.COM")).descriptor == "FERNCAFE"


@pytest.mark.parametrize(("text", "others"), OTHERS)
def test_who_else_took_part(text: str, others: list[tuple[str, str | None]]) -> None:
    assert read(Transaction(text)).counterparties == tuple(Counterparty(*one) for one in others)


def test_staff_see_what_was_read() -> None:
    assert read(Transaction("SQ *FERN CAFE #12 OAKLAND CA")).evidence() == [
        "intermediary: Square",
        "store number: 12",
        "place: Oakland, US-CA",
        "kind: purchase",
        "channel: in_store (processor of terminals)",
    ]


def test_what_says_nothing_is_not_stored() -> None:
    assert Reading().to_json() == {}
    assert read(Transaction("TRANSFER TO JANE DOE")).to_json() == {
        "descriptor": "TRANSFER TO JANE DOE",
        "kind": "person_to_person",
        "counterparties": [{"type": "person", "name": None}],
    }


@pytest.mark.parametrize("stored", [None, {}, {"colour": "red"}, {"city": 7, "kind": "gift"}])
def test_members_of_another_release_are_ignored(stored: dict | None) -> None:
    assert Reading.from_json(stored) == Reading()


def test_counterparties_of_another_release_are_ignored() -> None:
    stored = {"counterparties": [{"type": "bank", "id": 3}, {"name": "x"}, "bank", None]}
    assert Reading.from_json(stored).counterparties == (Counterparty("bank"),)
    assert Reading.from_json({"counterparties": "bank"}) == Reading()


WORDING = st.sampled_from(
    "SQ * |TRANSFER TO |ATM |ÜBERWEISUNG |UPI/DR/|ZELLE |振込| CA|#12| 97301| GB|1 OAK ST|.COM| FEE"
    "|800-555-0142|PIX |DOORDASH*|ค่า|-|*|  ".split("|")
)


@settings(max_examples=300)
@given(
    st.lists(st.one_of(WORDING, st.text(max_size=12)), max_size=20).map("".join),
    st.sampled_from(["", "US", "DE", "br"]),
    st.sampled_from(["", "6011", "5411"]),
    st.one_of(st.just(""), st.text(string.ascii_letters, max_size=12)),
)
def test_any_text_is_read_and_stored_as_it_was(
    text: str, country: str, mcc: str, city: str
) -> None:
    found = read(Transaction(text, country=country, mcc=mcc, city=city))
    assert found.kind in kinds.KINDS
    assert found.channel in {"in_store", "online", "unknown"}
    assert all(other.name is None for other in found.counterparties if other.type == "person")
    stored = json.dumps(found.to_json())
    assert "\\u0000" not in stored
    assert Reading.from_json(json.loads(stored)) == found


@pytest.mark.parametrize(
    ("text", "descriptor", "number"),
    [
        ("STORE 23 411111******1111", "STORE 23", "23"),
        ("STORE #23 4111.11**.****.1111", "STORE #23", "23"),
        ("KWIK SHOP STORE 23 411111******1111", "KWIK SHOP", "23"),
        ("KWIK SHOP 411111******1111", "KWIK SHOP", ""),
        ("411111******1111 KWIK SHOP #23", "KWIK SHOP", "23"),
        ("KWIK SHOP 4111 11** **** 1111 05/28", "KWIK SHOP", ""),
        ("KWIK SHOP 4111–11**–****–1111", "KWIK SHOP", ""),
        ("KWIK SHOP ４１１１１１******１１１１", "KWIK SHOP", ""),
        ("KWIK SHOP 411111*********10528", "KWIK SHOP", ""),
        ("KWIK SHOP 4111*11********1111", "KWIK SHOP", ""),
        ("SQ *KWIK SHOP 3782 82**** *0005", "KWIK SHOP", ""),
        ("KWIK SHOP 411111******1111555555******4444", "KWIK SHOP", ""),
        ("KWIK SHOP 4111********1111", "KWIK SHOP", ""),
        ("KWIK SHOP 411111XXXXXX1111", "KWIK SHOP", ""),
        ("411111******1111", "", ""),
    ],
)
def test_what_a_mask_leaves_of_a_card_number_is_no_part_of_anything(
    text: str, descriptor: str, number: str
) -> None:
    reading = read(Transaction(description=text))
    assert (reading.descriptor, reading.store_number) == (descriptor, number)
    assert reading.phone == reading.postal_code == reading.address == ""


def test_stars_of_processors_are_no_masks() -> None:
    assert read(Transaction(description="AMZN Mktp US*2K4TR91A3")).descriptor == "AMZN Mktp US"
    assert read(Transaction(description="SQ *BLUE BOTTLE 123456")).intermediary == "Square"


def test_a_phone_number_behind_the_postcode_hides_no_place():
    reading = read(Transaction("STARBUCKS #1234 SEATTLE WA 98101 206-555-0199"))
    assert (reading.city, reading.region, reading.postal_code) == ("Seattle", "WA", "98101")
    assert (reading.store_number, reading.phone) == ("1234", "206-555-0199")


# Descriptor, the client's country, and what is read: country and state.
CODES_OF_BOTH = [
    ("FERNFLIX.COM DE", "", "DE", ""),
    ("WWW.FERNFLIX.COM DE", "", "DE", ""),
    ("FERNFLIX.COM*2K4TR91A3 DE", "", "DE", ""),
    ("FERNFLIX.COM NL", "", "NL", ""),
    ("FERNFLIX.COM SE", "", "SE", ""),
    ("FERNFLIX.DE DE", "", "DE", ""),
    ("FERNFLIX.CA CA", "", "CA", ""),
    ("PAYPAL *FERNFLIX DE", "", "DE", ""),
    ("EBAY O*25-13995-49443 DE", "", "DE", ""),
    ("AMZN MKTP DE", "", "DE", ""),
    ("AMZN Mktp DE*2K4TR91A3", "", "DE", ""),
    ("AMZN MKTP UK*2K4TR91A3", "", "GB", ""),
    ("AMZN MKTP FR", "", "FR", ""),
    ("AMZN MKTP IT", "", "IT", ""),
    ("AMZN MKTP ES", "", "ES", ""),
    ("AMZN MKTP CA", "", "CA", ""),
    ("AMZN MKTP CA*2K4TR91A3", "", "CA", ""),
    ("AMZN MKTP US", "", "US", ""),
    ("AMZN MKTP US*2K4TR91A3", "", "US", ""),
    # California or Canada, Illinois or Israel.
    ("FERNFLIX.COM CA", "", "", ""),
    ("FERNFLIX.COM IL", "", "", ""),
    ("FERNFLIX.COM CA", "CA", "CA", ""),
    # The client or the bank says where it was.
    ("FERN MARKT 1234 DE", "DE", "DE", ""),
    ("KARTENZAHLUNG FERN MARKT DE", "", "DE", ""),
    # Something says that it is the state.
    ("FERNFLIX.COM DE", "US", "US", "DE"),
    ("FERNFLIX.COM DE 19801", "", "US", "DE"),
    ("FERNFLIX.COM WILMINGTON DE", "", "US", "DE"),
    ("FERNFLIX.COM 866-555-0172 DE", "", "US", "DE"),
    ("FERNFLIX FERNFLIX.COM IL", "", "US", "IL"),
    ("PAYPAL *FERNFLIX 402-555-0133 CA", "", "US", "CA"),
    ("EBAY O*25-13995-49443 SAN JOSE CA", "", "US", "CA"),
    ("AMZN MKTP US*2K4TR91A3 AMZN.COM/BILL WA", "", "US", "WA"),
    ("AMZN MKTP DE 19801", "", "US", "DE"),
    ("FERN CAFE DOVER DE", "", "US", "DE"),
]


@pytest.mark.parametrize(("text", "told", "country", "state"), CODES_OF_BOTH)
def test_a_code_behind_an_online_shop_is_no_state_unless_something_says_so(
    text: str, told: str, country: str, state: str
) -> None:
    reading = read(Transaction(text, country=told))
    assert (reading.country, reading.region) == (country, state)
    assert text.startswith("AMZN") or not reading.descriptor.endswith((" CA", " IL", " SE"))


@pytest.mark.parametrize(
    ("text", "city", "code", "store"),
    [
        ("FERN MARKT 28001 MADRID ES", "Madrid", "28001", ""),
        ("FERN MARKT 10115 BERLIN DE", "Berlin", "10115", ""),
        ("FERN MARKT 50667 KOELN", "Köln", "50667", ""),
        ("FERN MARKT 400001 MUMBAI IN", "Mumbai", "400001", ""),
        ("FERN MARKT 00-001 WARSZAWA PL", "Warszawa", "00-001", ""),
        ("FERN MARKT 1012 AB AMSTERDAM NL", "Amsterdam", "1012 AB", ""),
        ("FERN MARKT SW1A 1AA LONDON GB", "London", "SW1A 1AA", ""),
        # A store's number.
        ("FERN MARKT #28001 MADRID ES", "Madrid", "", "28001"),
        ("FERN MARKT NR 28001 MADRID ES", "Madrid", "", "28001"),
        ("FERN MARKT 2801 MADRID ES", "Madrid", "", "2801"),
        ("FERN MARKT 1010 WIEN AT", "Wien", "", "1010"),
        ("FERN MARKT 55401 MINNEAPOLIS MN", "Minneapolis", "", "55401"),
    ],
)
def test_a_postcode_before_its_town_is_no_stores_number(
    text: str, city: str, code: str, store: str
) -> None:
    reading = read(Transaction(text))
    assert (reading.city, reading.postal_code, reading.store_number) == (city, code, store)
    assert reading.descriptor.removesuffix(" NR") == "FERN MARKT"


@pytest.mark.django_db
def test_no_transaction_waits_for_a_list_to_be_read_from_its_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cluster has read all of them before it takes work."""
    for names in (
        persons._first_names,
        persons._surnames,
        city_spelling._spellings,
        gazetteer.load_gazetteer,
        word_lists._english_words,
        word_lists._everyday_words,
        word_lists._proper_names,
    ):
        names.cache_clear()
    apps.get_app_config("merchants").preload()
    opened = []
    for module, name in ((gzip, "open"), (Path, "read_text"), (Path, "open")):
        monkeypatch.setattr(module, name, lambda *given, **more: opened.append(given))
    heuristic = rulesets.heuristic_for(rulesets.current().number)
    for text in TRICKY:
        heuristic.key(Transaction(text))
        heuristic.match(Transaction(text))
        read(Transaction(text))
    assert not opened
