"""The kind of a booking, in the languages in which banks write, and what decides it."""

import pytest

from merchants.matching.booking.kind import KINDS_WITHOUT_MERCHANT
from merchants.matching.reading import read
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


@pytest.mark.parametrize(
    ("text", "kind"),
    [(line.strip(), kind) for kind, lines in KINDS.items() for line in lines.strip().split("\n")],
)
def test_the_kind_is_read_in_the_banks_language(text: str, kind: str) -> None:
    assert read(Transaction(text)).kind == kind


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
