"""What card rails and banks print around the merchant, in several languages: none of it names one.

A bank puts words before the descriptor (`CHECKCARD 0712`, `CARTE 12/03`), behind it (`Card xx1788
Value Date: 02/01/2019`) or arranges its own columns (`NAME 03/21 PURCHASE CITY ST`).
"""

import re
from typing import NamedTuple

_DATE = r"\d{1,2}[/.\-]\d{1,2}(?:[/.\-]\d{2,4})?"
_TIME = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?"


class Peeled(NamedTuple):
    """A descriptor without the rail's words: the merchant's part, and a separate place if given."""

    body: str
    place: str
    noise: bool  # whether anything was taken away


# Arrangements in which the bank says which part is the merchant (name) and which the place.
_FORMATS = [
    re.compile(pattern, re.I)
    for pattern in (
        # NAME 03/21 MOBILE PURCHASE CITY ST
        rf"(?P<name>.+?)\s+{_DATE}\s+(?:MOBILE |RECURRING |ONLINE |INTL? )?"
        r"(?:PURCHASE|PURCH|PMT|PAYMENT|REFUND|RETURN)(?: RETURN| REFUND)?(?:\s+(?P<place>.*))?",
        # BEA, Betaalpas NAME,PAS123 NR:CT123456, 31.01.24/12:34 CITY
        r"(?:BEA|GEA|BETAALAUTOMAAT),?\s+(?:BETAALPAS|APPLE PAY|GOOGLE PAY|CREDITCARD|DEBITCARD)?,?"
        rf"\s*(?P<name>[^,]+),\s*PAS\s?\d+(?:\s+NR:\s?\S+)?(?:\s+{_DATE}\S*)?\s*(?P<place>.*)",
        # BEA NR:X1Y2 31.01.24/12.34 NAME,PAS123 CITY
        rf"(?:BEA|GEA)\s+NR:\s?\S+\s+{_DATE}[/ ]{_TIME}\s+(?P<name>[^,]+),\s*PAS\s?\d+"
        r"\s*(?P<place>.*)",
        # Name//Ort/DE
        r"(?P<name>.+?)\s*//\s*(?P<place>[^/]+(?:/[A-Z]{2})?)(?:\s+\d.*)?",
        # Bezahlung ... NAME Datum, NL: 31-01-2024 12:34 NAME CITY NLD Pasnr
        rf"(?:PASVOLGNR|PASNR|KAARTNUMMER)\S*\s+\S+\s+(?P<name>.+?)\s+{_DATE}\s*(?P<place>)",
    )
]

# In front of the merchant; tried again and again until none fits.
_BEFORE = re.compile(
    r"""^(?:
      (?:(?:PRE-?|NON-?)?AUTHORI[SZ]ED\s+)?(?:RECURRING|ONE-?TIME)\s+(?:DEBIT\s+|CREDIT\s+)?
        (?:CARD\s+)?(?:PAYMENT|PURCHASE|PMT|TRANSACTION|BILL)?(?:\s+AUTHORI[SZ]ED\s+ON\s+<date>)?
    | (?:CARD\s+|DEBIT\s+|ONLINE\s+|RECURRING\s+)?(?:PURCHASE|PAYMENT|RETURN|REFUND|TRANSACTION)
        (?:\s+RETURN)?\s+(?:INTL\s+|CARD\s+)?AUTHORI[SZ]ED\s+ON\s+<date>
    | AUTHORI[SZ]ED\s+ON\s+<date>
    | (?:VISA|MASTERCARD|MAESTRO|AMEX|MC|MCD|INTERAC|EFTPOS|CONTACTLESS|CHIP|TAP|DBT|DEBIT|CREDIT
        |CHECK|BANK|POS|EXTERNAL|ELECTRONIC|ONLINE|RECURRING|INTERNATIONAL|INTL|FOREIGN|GENERIC
        |PIN(?:LESS)?|SIG(?:NATURE)?|CARD|MOBILE|DOMESTIC|US|PENDING|PENDING:|TEMPORARY|PRE-?AUTH
        |WITHDRAWAL|DDA|IDP|IOD|PREAUTHORIZED)\s*[-–/]?\s+
        (?:(?:CARD|DEBIT|VISA|MC|MASTERCARD|POS|CREDIT|PIN|SIGNATURE|INTERAC|TAP|CHIP|BILL|RETAIL
        |POINT[ ]OF[ ]SALE|DDA|ACH)\s*[-–/]?\s+)*
        (?:PURCHASES?|PURCH|PUR|PURCHSE|PAYMENT|PMT|PYMT|DEBIT|TRANSACTION|TXN|TRANS|SALE|REFUND|
        RETURN|WITHDRAWAL|CRD|CREDIT|CARD|BILL[ ]PAYMENT|PAYMENT[ ]TO|MERCHANDISE)
        (?:\s*[-–]\s*(?:VISA|MC|MASTERCARD|DEBIT|CREDIT|INTERAC|PIN|POS))?
        (?:\s+(?:TO|AT|FROM|ON|-))?(?:\s+<date>(?:\s+<time>)?)?
    | POS(?:\s+(?:PUR|DEB|DB|DR|TRANSACTION|W/D|TERMINAL|SALE|MAC|SIG))?(?:\s+<date>)?
    | (?:CHECK|DEBIT|CREDIT|ATM)\s?(?:CARD|CRD)(?:\s+(?:PURCHASE|PUR|DEBIT|TRANSACTION))?
        (?:\s+\d{4})?
    | CHECKCARD\s+\d{4} | CKCD\s+(?:DEBIT\s+)?(?:<date>|\d{4})? | DBT\s+CRD\s+(?:\d{4})?(?:\s+\d+)?
    | PURCHASE(?:\s+(?:AT|FROM|-))? | POINT\s+OF\s+SALE(?:\s+(?:DEBIT|PURCHASE|WITHDRAWAL))?
    | (?:DIRECT|AUTOMATIC)\s+DEBIT(?:\s+(?:TO|PAYMENT))? | DIRECT\s+PAYMENT | EFTPOS(?:\s+DEBIT)?
    | (?:STANDING\s+ORDER|BILL\s+PAYMENT|CARD\s+PAYMENT|FASTER\s+PAYMENT|CONTACTLESS\s+PAYMENT)
        (?:\s+TO)? | DD(?=\s+[A-Z]{3}) | D/D | S/O | CPM | VIS | \)\)\) | \)\)
    | ACH\s+(?:DEBIT|PAYMENT|PMT|WITHDRAWAL|HOLD)? | PREAUTHORIZED\s+(?:DEBIT|WD|PAYMENT)
    | (?:APL|APPL|APPLE|AAPL|GPAY|GGL|GOOGLE|SAMSUNG|ANDROID|GOOG)\s?PAY(?:\s+PURCHASE)?(?=\s)
    | APLPAY | GGLPAY | GGLPAY | PAYPASS | PAYWAVE | TAP\s+(?:AND|N|&)\s+(?:PAY|GO)
    # German
    | (?:SEPA[- ]?)?(?:BASIS|FIRMEN|FOLGE|ERST|EINZUGS)?[- ]?(?:LASTSCHRIFT|LASTSCHR)(?:EINZUG)?
        (?:\s+(?:VON|AN))?
    | (?:DEBIT)?KARTENZAHLUNG(?:\s+(?:BEI|AN|GIROCARD|DEBIT|VISA|MASTERCARD))?
    | (?:EC|GIROCARD|MAESTRO|V\s?PAY|ELV)(?:[- ](?:KARTE|CASH|ZAHLUNG|LASTSCHRIFT))?
        (?:\s+(?:BEI|\#\d+|<date>(?:\s+<time>)?))
    | KAUFUMSATZ | KREDITKARTENUMSATZ | (?:SEPA[- ]?)?(?:[UÜ]BERWEISUNG|DAUERAUFTRAG|ECHTZEIT)(?:\s+AN)?
    | BEZAHLUNG\s+(?:MIT\s+)?(?:KARTE|BANCOMAT|TWINT)? | (?:EINKAUF|ZAHLUNG)\s+(?:BEI|AN|DEBIT\S*)
    | TWINT(?=\s+\S{3}) | POS\s+EINKAUF
    # French
    | (?:PAIEMENT|ACHAT|RETRAIT|FACTURE|PAIEMT|PMT)\s+(?:PAR\s+)?(?:CARTE|CB|CARTE\s+BANCAIRE|PSC|
        SANS\s+CONTACT|EN\s+LIGNE|INTERNET|MOBILE|INTERAC)?(?:\s+(?:DU|CHEZ|N\S?\d+))?(?:\s+<date>)?
    | CARTE(?:\s+(?:BANCAIRE|BLEUE|VISA|N\S?))?(?:\s+X*\d{4})?(?:\s+(?:DU\s+)?<date>)?
    | CB\s*(?:\*\d{4})?(?:\s+<date>)? | FACT(?:URE)?\s+(?:CARTE|CB)?(?:\s+DU)?(?:\s+<date>|\s+\d{6})?
    | (?:PRLV|PRELEVEMENT|PRÉLÈVEMENT|PREL)(?:\s+(?:SEPA|EUROPEEN|EUROPÉEN|DE))?
    | VIR(?:EMENT)?(?:\s+(?:SEPA|INST|INSTANTANE|PERMANENT))?(?:\s+(?:DE|VERS|A))?(?=\s)
    # Spanish, Portuguese, Italian
    | (?:COMPRA|PAGO|CARGO|RECIBO|ADEUDO|COMPRAS)(?:\s+(?:EN|CON|TARJ(?:ETA)?\.?|DE|TPV|ONLINE|
        INTERNACIONAL|NACIONAL|CARTAO|CARTÃO|D[ÉE]BITO|CR[ÉE]DITO|DEB\S*|NO|VISA|MAESTRO|INTERNET|
        [*X]+\d{4}|\d{4}(?=\s)))*(?:\s+<date>)?[,:.]?
    | TARJ(?:ETA)?\.?\s*:?\s*[*X\d]+ | (?:D[ÉE]BITO|DEBITO)\s+(?:DIRETO|DIRECTO|EM\s+CONTA|DD)
    | (?:PAGAMENTO|PAGAM\.?|PAG\.?|ADDEBITO|ACQUISTO|OPERAZIONE|SPESA)(?:\s+(?:POS|CARTA|CON|
        PRESSO|TRAMITE|BANCOMAT|NEXI|SDD|DIRETTO|CONTACTLESS|INTERNET|ONLINE|DEL|EM|DE|CONTA|
        VISA|DEBIT|MAESTRO|<date>|<time>))*[:.]?
    | PIX\s+(?:QRS?|ENVIADO|DES)? | COMPRA\s+CART\S*
    # Dutch, Nordic, Polish, Czech
    | (?:BETAALAUTOMAAT|BETALING|PINBETALING|BEA|INCASSO|SEPA\s+INCASSO(?:\s+ALGEMEEN\S*)?|
        BANCONTACT|AANKOOP(?:\s+BANCONTACT)?|GEA)(?:\s+(?:MET|BIJ|DOORLOPEND|CONTACTLOOS|VIA))?,?
    | (?:KORTK[ÖO]P|K[ÖO]RTK[ÖO]P|KORTBETALNING|KORTKJ[ØO]P|VAREKJ[ØO]P|VISA\s+VAREKJ[ØO]P|BETALNING|
        DANKORT(?:-NOTA|K[ØO]B)?|VISA/DANKORT|KORTTIOSTO|OSTO|K[ÖO]P|KORT|AUTOGIRO|VIPPS|SWISH|
        MOBILEPAY|AVTALEGIRO|E-?FAKTURA)(?:\s+(?:TIL|HOS))?[:]?(?:\s+<date>)?(?=\s)
    | (?:P[ŁL]ATNO[ŚS][ĆC]|ZAKUP|TRANSAKCJA|OPERACJA|PLATBA|N[ÁA]KUP)(?:\s+(?:KART[ĄA]|KARTOU|PRZY|
        U[ŻZ]YCIU|KARTY|BLIK|INTERNET\S*))*[:]?
    | BLIK(?=\s\S{3})
    # Numbers and dates in front
    | <date>(?:\s+<time>)? | (?:CARD|KARTE|CARTE|KAART|KORT)\s*(?:NO\.?\s*)?[X*]*\d{4} | [X*]{2,}\d{4}
    | VISA\s+\d{4,6}(?=\s+\S) | \d{6}(?=\s+[A-Z]) | \*\d{4}(?=\s) | [-–:,;.|]+
    )(?:\s+|(?<=[-–:,;.|])|$)""".replace("<date>", _DATE).replace("<time>", _TIME),
    re.I | re.X,
)

# Behind the merchant (and its place).
_BEHIND = re.compile(
    r"""(?:\s+|(?<=[\s,;]))(?:
      (?:CARD|KARTE|CARTE|KAART|PAS|KORT|CARD\s+ENDING(?:\s+IN)?)\s*(?:NO\.?:?|NR\.?:?|\#)?\s*
        (?:[X*.]*\d{3,4}|[X*]{4,}\d*)?
    | VALUE\s+DATE:?\s*<date> | (?:TAP\s+AND\s+PAY|TAP\s+&\s+PAY|CONTACTLESS)(?:\s+[X*]+\d+)?
    | [X*]{2,}\d{4} | APPLE\s+PAY | GOOGLE\s+PAY | SAMSUNG\s+PAY | MOBILE\s+PAY(?:MENT)?
    | [SP]\d{15,20} | (?:ON|DU|DEL|VOM|AM|LE|OP|DEN|VALEUR|PURCHASE\s+ON)\s+<date>
    | <date>(?:[ /T]+<time>)?(?:\s+\d{2,4})? | <time>(?:\s?[AP]M)? | \d{2}[A-Z]{3}\d{2,4}
    | (?:ON\s+)?\d{1,2}\s?(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Z]*\.?
        (?:\s+\d{2,4})?(?:\s+(?:BCC|CLP|BDC|CPM))?
    | (?:REF|REFERENCE|RFC|TRACE|AUTH|TRN|TXN|TRANS(?:ACTION)?|MANDATE?|MANDAT|MREF|EREF|KREF|SVWZ|
        KUNDENNR|KD-?NR|INVOICE|RECHNUNG|RG|FACTURE|FACTURA|BELEG|FOLGENR|VERFALLD|KENMERK|ICS|
        WEB\s+ID|PPD\s+ID|CCD\s+ID|IBAN|BIC)
        \s*(?:NO\.?|NR\.?|\#|\+|ID|NUMBER|NUMMER)?[.:\#]?\s*[-/\w.*]*\d[-/\w.*]*
    | (?:RECHNUNG|FACTURE|SAGT\s+DANKE|DANKE|DANKT|VIELEN\s+DANK|MERCI|GRACIAS|THANK\s+YOU
        |INTERNATIONAL\s+TRANSACTION|RECURRING|PAYPASS|PAYWAVE|VISA\s+DEBIT|DEBIT\s+CARD
        |POS\s+PURCHASE|POS\s+DEBIT|PENDING)
    | (?:USD|EUR|GBP|CAD|AUD|CHF|NOK|SEK|DKK)\s?\d+[.,]\d{2}(?:\s.*)?
    | \d+[.,]\d{2}\s?(?:USD|EUR|GBP|CAD|AUD|CHF|NOK|SEK|DKK)(?:\s.*)?
    | @\s?\d+[.,]\d+ | (?:EXCHANGE|FX)\s+RATE.*
    )\s*[,;.]?$""".replace("<date>", _DATE).replace("<time>", _TIME),
    re.I | re.X,
)


def peel(text: str) -> Peeled:
    """`text` without the rail's words; the place apart where the bank's columns say so."""
    body, place = text.strip(), ""
    while (shorter := _BEHIND.sub("", body)) != body and shorter.strip():
        body = shorter.strip()
    for layout in _FORMATS:
        found = layout.fullmatch(body)
        if found and found["name"].strip():
            body, place = found["name"].strip(), (found["place"] or "").strip(" ,/")
            break
    body = _peel_front(body)
    if place:
        body = _peel_front(body)
        while (shorter := _BEHIND.sub("", body)) != body and shorter.strip():
            body = shorter.strip()
    return Peeled(body, place, body != text.strip())


def _peel_front(body: str) -> str:
    for _ in range(8):
        shorter = _BEFORE.sub("", body, count=1)
        if shorter == body or not shorter.strip():
            break
        body = shorter.lstrip()
    return body
