"""What is read from one transaction's own text: kind, channel, place, and who took part."""

import json
import string

import pytest
from django.apps import apps
from hypothesis import given, settings
from hypothesis import strategies as st

from merchants.matching.booking import kind as kinds
from merchants.matching.booking import persons
from merchants.matching.booking.kind import KINDS_WITHOUT_MERCHANT
from merchants.matching.descriptor import city_spelling
from merchants.matching.reading import Counterparty, Reading, read
from merchants.matching.types import Transaction

# Descriptor and kind, by language; all made up, in the ways in which banks there write.
KINDS = {
    "tax": """
        IRS USATAXPYMT 041526 220611 PPD
        CITY OF MILLBROOK PROPERTY TAX 2026
        HMRC SELF ASSESSMENT 1122334455K
        FINANZAMT MUSTERSTADT STNR 12/345
        LASTSCHRIFT BUNDESKASSE KFZ-STEUER B-XY 12
        PRLV SEPA DIRECTION GENERALE DES FINANCES PUBLIQUES IMPOT REVENU
        RECIBO AGENCIA TRIBUTARIA MODELO 130
        PAGAMENTO F24 TELEMATICO
        ADDEBITO AGENZIA DELLE ENTRATE
        PAGAMENTO DARF 0190
        BELASTINGDIENST APELDOORN 1122
        BETALNING BG SKATTEVERKET
        SKATTEETATEN RESTSKATT
        VEROHALLINTO 20261101
        PRZELEW URZĄD SKARBOWY PIT-37
        PLATBA FINANČNÍ ÚŘAD PRAHA 4
        NAV ADÓ 2026
        VERGI DAIRESI ODEMESI
        所得税 確定申告
        """,
    "salary": """
        NORTHWIND MILLS INC DES:PAYROLL ID:0042
        DIRECT DEP BLUEHILL SCHOOLS
        BACS SALARY FERNDALE LTD
        GEHALT 11/2026 MUSTERWERK AG
        VIR SALAIRE NOVEMBRE SOCIETE LAMBDA
        ABONO NOMINA TALLERES OMEGA SL
        ACCREDITO STIPENDIO OFFICINE BETA
        CREDITO SALARIO FABRICA GAMA
        SALARIS NOVEMBER DELTA BV
        LÖN 25 NOV
        LØNOVERFØRSEL 11/26
        PALKKA 15.11. TEHDAS OY
        WYNAGRODZENIE ZA PAZDZIERNIK
        MZDA ZA ŘÍJEN
        MUNKABÉR 2026/10
        PLATA SALARIU OCT
        MAAŞ ÖDEMESİ KASIM
        ЗАРПЛАТА ЗА НОЯБРЬ
        ΜΙΣΘΟΔΟΣΙΑ ΝΟΕΜΒΡΙΟΥ
        משכורת נובמבר
        給与 カブシキガイシャ
        """,
    "refund": """
        PURCHASE RETURN AUTHORIZED ON 11/02 MAPLE OUTFITTERS TULSA OK
        POS RETURN MAPLE OUTFITTERS #12 TULSA OK
        REFUND WILLOW CRAFTS
        WILLOW CRAFTS REFUND
        OVERDRAFT FEE REVERSAL
        STATEMENT CREDIT
        GUTSCHRIFT KARTE MODEHAUS LINDE
        STORNO MODEHAUS LINDE
        REMBOURSEMENT LIBRAIRIE DU PORT
        AVOIR CB LIBRAIRIE DU PORT
        DEVOLUCION COMPRA ZAPATERIA SUR
        ESTORNO COMPRA LOJA AZUL
        RIMBORSO NEGOZIO ROSSO
        TERUGBETALING WINKEL NOORD
        RETUR KORTKÖP SKOBUTIKEN
        TILBAGEFØRSEL SKOBUTIKKEN
        KORTTIHYVITYS KENKÄKAUPPA
        ZWROT SKLEP OBUWNICZY
        VRÁCENÍ PLATBY OBCHOD S BOTAMI
        VISSZATÉRÍTÉS CIPŐBOLT
        RAMBURSARE MAGAZIN PANTOFI
        İADE AYAKKABI DÜNYASI
        ВОЗВРАТ МАГАЗИН ОБУВИ
        退款 鞋店
        """,
    "fee": """
        OVERDRAFT FEE
        FOREIGN TRANSACTION FEE 3%
        OUT OF NETWORK ATM FEE
        CASH ADVANCE FEE
        OUTGOING WIRE TRANSFER FEE
        RETURNED ITEM FEE
        KONTOFÜHRUNG NOVEMBER
        JAHRESGEBUEHR KREDITKARTE
        COTISATION CARTE GOLD
        FRAIS DE TENUE DE COMPTE
        COMISION MANTENIMIENTO CTA
        CUOTA DE MANEJO TARJETA
        CANONE MENSILE CONTO
        SPESE DI TENUTA CONTO
        TARIFA PACOTE SERVICOS
        KOSTEN BETAALPAKKET
        ÅRSAVGIFT KORT
        ÅRSGEBYR KORT
        PALVELUMAKSU TILI
        OPŁATA ZA KARTĘ
        POPLATEK ZA VEDENÍ ÚČTU
        SZÁMLAVEZETÉSI DÍJ
        COMISION ADMINISTRARE CONT
        KART AİDATI
        КОМИССИЯ ЗА ПЕРЕВОД
        ΠΡΟΜΗΘΕΙΑ ΑΝΑΛΗΨΗΣ
        עמלת פעולה
        BIAYA ADMIN
        ค่าธรรมเนียม
        연회비
        """,
    "interest": """
        INTEREST CHARGE ON CASH ADVANCES
        CREDIT INTEREST
        HABENZINSEN 4. QUARTAL
        INTERETS DEBITEURS
        LIQUIDACION INTERESES CUENTA
        JUROS DE MORA
        INTERESSI CREDITORI
        RENTE SPAARREKENING
        KAPITALISERAD RÄNTA
        KREDITRENTER 2026
        TALLETUSKORKO
        KAPITALIZACJA ODSETEK
        PŘIPSÁNÍ ÚROKU
        KAMATJÓVÁÍRÁS
        DOBÂNDĂ DEPOZIT
        ВЫПЛАТА ПРОЦЕНТОВ
        預金利息
        """,
    "cash": """
        ATM WITHDRAWAL 000412 11/02 ELM ST SALEM OR
        CASH WITHDRAWAL AT BRANCH
        NOTEMACHINE LEEDS 02NOV
        BARGELDAUSZAHLUNG 02.11/18.22 GA NR 4412
        BANCOMATBEZUG BASEL
        RETRAIT DAB 0211 LILLE
        RETIRO CAJERO 0412 PUEBLA
        DISPOSICIÓN DE EFECTIVO
        SAQUE BANCO24HORAS
        LEVANTAMENTO ATM FARO
        PRELIEVO BANCOMAT 02/11 BARI
        GELDOPNAME 02-11 ZWOLLE
        BANKOMATUTTAG 261102
        MINIBANK UTTAK 02.11 BERGEN
        KONTANTHÆVNING ODENSE
        OTTO AUTOMAATTI TAMPERE
        WYPŁATA Z BANKOMATU LUBLIN
        VÝBĚR Z BANKOMATU OSTRAVA
        KÉSZPÉNZFELVÉTEL SZEGED
        RETRAGERE NUMERAR ATM SIBIU
        ATM PARA CEKME BURSA
        PODIZANJE GOTOVINE SPLIT
        ΑΝΑΛΗΨΗ ΑΤΜ ΠΑΤΡΑ
        СНЯТИЕ НАЛИЧНЫХ КАЗАНЬ
        כספומט חיפה
        TARIK TUNAI ATM
        現金 引出
        """,
    "person_to_person": """
        ZELLE PAYMENT TO JANET ROWE 00412
        VENMO *JANET-ROWE
        CASH APP*JANET ROWE
        INTERAC E-TRANSFER SENT PAUL
        TRANSFER TO JANE DOE
        FASTER PAYMENT TO MR P QUILL
        FASTER PAYMENTS RECEIPT REF DINNER FROM P QUILL
        OSKO PAYMENT TO P QUILL
        UPI/P2A/0412000412/PRIYA M/OKAXIS
        ÜBERWEISUNG AN ERIKA MUSTERFRAU
        VIR INST MME DURAND ALICE
        LYDIA APP ALICE D
        BIZUM ENVIADO A LUCIA
        TRANSFERENCIA A FAVOR DE LUCIA PEREZ
        PIX ENVIADO LUCIA SOUZA
        BONIFICO A FAVORE DI BRUNO VERDI
        TIKKIE ID 0041 SANNE
        OVERBOEKING NAAR S DE WIT
        SWISH TILL SARA LIND
        VIPPS TIL KARI NORD
        MOBILEPAY TIL METTE HOLM
        TILISIIRTO SAAJA AINO VIRTA
        BLIK NA TELEFON ANNA
        PRZELEW DO ANNA WILK
        TWINT AN URS BERG
        ÁTUTALÁS KOVÁCS ÉVA
        HAVALE AYSE KAYA
        ПЕРЕВОД ИВАНОВА АННА
        """,
    "bill_payment": """
        MILLBROOK WATER BILL PAYMENT
        MILLBROOK TELECOM AUTOPAY
        ACH DEBIT MILLBROOK WATER WEB
        DIRECT DEBIT FERNDALE WATER REF 0041
        STANDING ORDER FERNDALE LETTINGS
        MORTGAGE PAYMENT 0041
        BPAY FERNDALE COUNCIL RATES
        SEPA-LASTSCHRIFT WASSERWERK TAL GMBH
        DAUERAUFTRAG MIETE HAUSVERWALTUNG TAL
        ÜBERWEISUNG AN STADTWERKE TAL GMBH
        PRLV SEPA EAUX DU NORD
        RECIBO AGUAS DEL SUR
        DOMICILIACION AGUAS DEL SUR
        DEBITO DIRETO AGUAS DO TEJO
        PAGAMENTO DE BOLETO CONDOMINIO SOL
        ADDEBITO SDD ACQUE DEL PO
        SEPA INCASSO WATERBEDRIJF WEST
        AUTOGIRO VATTENVERKET
        AVTALEGIRO VANNVERKET
        BETALINGSSERVICE VANDVÆRKET
        SUORAVELOITUS VESILAITOS
        POLECENIE ZAPŁATY WODOCIĄGI
        INKASO VODÁRNY
        CSOPORTOS BESZEDÉS VÍZMŰVEK
        DEBITARE DIRECTA APA CANAL
        FATURA ÖDEMESİ SU İDARESİ
        АВТОПЛАТЕЖ ВОДОКАНАЛ
        ΠΑΓΙΑ ΕΝΤΟΛΗ ΥΔΡΕΥΣΗ
        הוראת קבע תאגיד מים
        口座振替 水道局
        """,
    "transfer": """
        ONLINE TRANSFER TO SAV XXXXX0041
        PAYMENT THANK YOU
        CREDIT CARD PAYMENT
        MOBILE CHECK DEPOSIT
        UMBUCHUNG
        VIREMENT INTERNE
        TRASPASO ENTRE CUENTAS
        GIROCONTO
        TRANSFERENCIA
        SPAAROPDRACHT
        EGEN ÖVERFÖRING
        OMA SIIRTO
        PRZELEW WŁASNY
        ПЕРЕВОД МЕЖДУ СЧЕТАМИ
        转账
        """,
    "purchase": """
        MAPLE OUTFITTERS #12 TULSA OK
        MAPLE OUTFITTERS
        CHECKCARD 1102 MAPLE OUTFITTERS TULSA OK
        KARTENZAHLUNG MODEHAUS LINDE//ULM/DE
        PayPal (Europe) S.a r.l. et Cie, S.C.A. 1 PP.44.PP . X, Ihr Einkauf bei Modehaus Linde
        CARTE 02/11 LIBRAIRIE DU PORT
        COMPRA TARJ. 5402XXXXXXXX0041 ZAPATERIA SUR, COMISION 0,00
        COMPRA NO DEBITO LOJA AZUL
        PAGAMENTO POS 02/11 NEGOZIO ROSSO
        BEA, BETAALPAS WINKEL NOORD,PAS041
        KORTKÖP 261102 SKOBUTIKEN
        SWISH SKOBUTIKEN NORD AB
        VAREKJØP SKOBUTIKKEN
        DANKORT-KØB SKOBUTIKKEN
        KORTTIOSTO KENKÄKAUPPA
        ZAKUP PRZY UŻYCIU KARTY SKLEP OBUWNICZY
        PLATBA KARTOU OBCHOD S BOTAMI
        VÁSÁRLÁS CIPŐBOLT
        CUMPARARE POS MAGAZIN PANTOFI
        ALIŞVERİŞ AYAKKABI DÜNYASI
        ПОКУПКА МАГАЗИН ОБУВИ
        UPI/P2M/0412000412/SHOE BAZAAR/YESB
        CASH CONVERTERS LEEDS
        TRANSFER STATION CAFE
        LATE NIGHT PIZZA
        RENTERS CHOICE HARDWARE
        TED'S BAKERY
        T-MOBILE AUSTIN TX
        KLARNA COLUMBUS OH
        """,
    "unknown": """
        0041 22 11
        -- 0041
        CHECK 1044
        UPI/DR/0412000412/PRIYA M/OKAXIS
        """,
}
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


@pytest.mark.parametrize(
    ("text", "kind"),
    [(line.strip(), kind) for kind, lines in KINDS.items() for line in lines.strip().split("\n")],
)
def test_the_kind_is_read_in_the_banks_language(text: str, kind: str) -> None:
    assert read(Transaction(text)).kind == kind


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


@pytest.mark.parametrize(
    ("text", "mcc", "kind"),
    [
        ("FERN BRANCH 0041", "6011", "cash"),
        ("FERN COUNTY OFFICE", "9311", "tax"),
        ("FERN REMIT", "4829", "transfer"),
        ("0041 22 11", "5411", "purchase"),
        ("0041 22 11", "6012", "unknown"),
        ("OVERDRAFT FEE", "6011", "fee"),
        ("POS PURCHASE FERN CAFE", "6011", "purchase"),
    ],
)
def test_the_mcc_decides_only_where_the_text_does_not(text: str, mcc: str, kind: str) -> None:
    assert read(Transaction(text, mcc=mcc)).kind == kind


@pytest.mark.parametrize(
    ("text", "nobody"),
    [
        ("TRANSFER TO JANE DOE", True),
        ("SWISH TILL SARA LIND", True),
        ("BONIFICO A FAVORE DI BRUNO VERDI", True),
        ("ATM WITHDRAWAL 000412 SALEM OR", True),
        ("KONTOFÜHRUNG NOVEMBER", True),
        ("PRLV SEPA EAUX DU NORD", False),
        ("REFUND WILLOW CRAFTS", False),
        ("FERN CAFE", False),
    ],
)
def test_a_persons_name_is_no_merchant(text: str, nobody: bool) -> None:
    assert (read(Transaction(text)).kind in KINDS_WITHOUT_MERCHANT) is nobody


def test_the_sign_of_the_amount_says_nothing() -> None:
    kinds = {read(Transaction("FERN CAFE", amount=amount)).kind for amount in (None, -5, 5)}
    assert kinds == {"purchase"}


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
def test_no_transaction_waits_for_a_list_to_be_read_from_its_file() -> None:
    lists = (persons._first_names, persons._surnames, city_spelling._spellings)
    for names in lists:
        names.cache_clear()
    apps.get_app_config("merchants").preload()
    assert all(names.cache_info().currsize for names in lists)
