"""What card rails and banks print around the merchant, in several languages: none of it names one.

A bank puts words before the descriptor (`CHECKCARD 0712`, `CARTE 12/03`), behind it (`Card xx1788
Value Date: 02/01/2019`) or arranges its own columns (`NAME 03/21 PURCHASE CITY ST`).
"""

import re
from typing import NamedTuple

from merchants.rail_words import BEFORE, BEHIND
from merchants.wordlist import listed

_DATE = (
    r"(?:\d{1,2}[/.\-]\d{1,2}(?:[/.\-]\d{2,4})?"
    r"|\d{1,2}(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)(?:\d{2,4})?)"
)
_TIME = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?"


class Peeled(NamedTuple):
    """A descriptor without the rail's words: the merchant's part, and a separate place if given."""

    body: str
    place: str
    country: str  # alpha-2, where banks write so; empty if that says nothing


# Arrangements in which the bank says which part is the merchant (name) and which the place.
_FORMATS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # NAME 03/21 MOBILE PURCHASE CITY ST
        (
            rf"(?P<name>.+?)\s+{_DATE}\s+(?:MOBILE |RECURRING |ONLINE |INTL? )?"
            r"(?:PURCHASE|PURCH|PMT|PAYMENT|REFUND|RETURN)(?: RETURN| REFUND)?(?:\s+(?P<place>.*))?"
        ),
        # BEA NR:X1Y2 31.01.24/12.34 NAME,PAS123 CITY
        (
            rf"(?:BEA|GEA)\s+NR:\s?\S+\s+{_DATE}[/ ]{_TIME}\s+(?P<name>[^,]+),\s*PAS\s?\d+"
            r"\s*(?P<place>.*)"
        ),
        # BEA, Betaalpas NAME,PAS123 NR:CT123456, 31.01.24/12:34 CITY
        (
            r"(?:BEA|GEA|BETAALAUTOMAAT),?\s+"
            r"(?:BETAALPAS|APPLE PAY|GOOGLE PAY|CREDITCARD|DEBITCARD)?,?"
            rf"\s*(?P<name>[^,]+),\s*PAS\s?\d+(?:\s+NR:\s?\S+)?(?:\s+{_DATE}\S*)?\s*(?P<place>.*)"
        ),
        # BoA's and Chase's arrangement of an ACH payment
        r"(?P<name>.+?)\s+DES:(?P<place>).*",
        r"ORIG CO NAME:\s*(?P<name>.+?)\s+(?:ORIG ID|CO ENTRY|DESC DATE)(?P<place>).*",
        # UPI-NAME-id@bank and UPI/123/NAME/...
        r"UPI[-/](?:\d+[-/])?(?:[A-Z]{2}[-/])?(?P<name>[^-/@]{3,})(?P<place>)(?:[-/].*)?",
        # ICICI: VIN/NAME/date/reference; Santander: NAME,12.34 GBP, RATE ...
        r"(?:VIN|VPS|IPS)/(?P<name>[^/]{3,})(?P<place>)/.*",
        r"(?:CARD PAYMENT TO )?(?P<name>[^,]+),\s*\d+\.\d\d [A-Z]{3},(?P<place>).*",
        # COMPRA NAME, TARJETA 1234, COMISION 0,00
        r"(?P<name>[^,]+),\s*TARJ(?:ETA)?\.?(?P<place>)\b.*",
        # Name//Ort/DE
        r"(?P<name>.+?)(?:\s+[A-Z]{2})?\s*//\s*(?P<place>[^/]+(?:/[A-Z]{2})?)(?:[\s/]+\d.*)?",
        # Bezahlung ... NAME Datum, NL: 31-01-2024 12:34 NAME CITY NLD Pasnr
        rf"(?:PASVOLGNR|PASNR|KAARTNUMMER)\S*\s+\S+\s+(?P<name>.+?)\s+{_DATE}\s*(?P<place>)",
    )
]


def _any_of(patterns: tuple[str, ...]) -> str:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return joined.replace("<date>", _DATE).replace("<time>", _TIME)


_BEFORE = re.compile(rf"^(?:{_any_of(BEFORE)})(?:\s+|(?<=[-–:,;.|\]])|$)", re.IGNORECASE)
_BEHIND = re.compile(rf"(?:\s+|(?<=[\s,;]))(?:{_any_of(BEHIND)})\s*[,;.]?$", re.IGNORECASE)

# The country whose banks begin a line so. Only a hint: their customers also pay elsewhere.
_LANGUAGES = [
    (code, re.compile(rf"(?:{pattern})", re.IGNORECASE))
    for code, pattern in {
        "FR": r"CARTE\s+(?:X?\d|[A-Z])|CB[\s*]|PRLV|PRELEVEMENT|PR[ÉE]L[ÈE]VEMENT|ACHAT\s+CB"
        r"|PAIEMENT\s+(?:PAR|CB)|FACTURE\s+CARTE|VIR(?:EMENT)?\s",
        "DE": r"(?:SEPA[- ]?)?(?:\w*)LASTSCHRIFT|KARTENZAHLUNG|GIROCARD|EC\s\d"
        r"|.{2,40}//[^/]+(?:/DE)?|KAUFUMSATZ",
        "ES": r"COMPRA\s+(?:EN|TARJ|CON)|PAGO\s+(?:CON|EN)|RECIBO\s|ADEUDO",
        "IT": r"PAGAMENTO\s|ADDEBITO|ACQUISTO|OPERAZIONE",
        "NL": r"BEA[,\s]|GEA[,\s]|BETAALAUTOMAAT|SEPA\s+INCASSO|PINBETALING",
        "BE": r"AANKOOP\s+BANCONTACT|BANCONTACT",
        "SE": r"KORTK[ÖO]P|AUTOGIRO|KORTBETALNING",
        "NO": r"VAREKJ[ØO]P|VISA\s+VAREKJ|\*\d{4}\s+\d\d\.\d\d\s+NOK|AVTALEGIRO|VIPPS"
        r"|VISA\s\d{6}\s",
        "DK": r"DANKORT|VISA/DANKORT",
        "FI": r"KORTTIOSTO",
        "PL": r"ZAKUP|P[ŁL]ATNO|BLIK",
        "CZ": r"PLATBA|N[ÁA]KUP",
        "GB": r"DIRECT\s+DEBIT\s|DD\s|CARD\s+PAYMENT\s+TO",
        "CA": r".{0,24}INTERAC\s|OPOS|FPOS|IDP\s",
        "AU": r"EFTPOS",
        "BR": r"COMPRA\s+CART|PIX\s|COMPRA\s+NO",
    }.items()
]


def peel(text: str) -> Peeled:
    """`text` without the rail's words; the place apart where the bank's columns say so."""
    body, place = text.strip(), ""
    country = next((code for code, pattern in _LANGUAGES if pattern.match(body)), "")
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
    return Peeled(body, place, country)


def _peel_front(body: str) -> str:
    whole = body
    for _ in range(8):
        shorter = _BEFORE.sub("", body, count=1)
        if shorter == body or not shorter.strip():
            break
        body = shorter.lstrip()
    words = body.split(" ")
    peeled = body != whole
    while len(words) > 1 and (
        words[0].upper().rstrip(".:") in _LEFTOVERS
        or not words[0]
        or (peeled and _LEFTOVER_NUMBER.fullmatch(words[0]))
    ):
        words.pop(0)
        peeled = True
    rest = " ".join(words)
    return rest if any(char.isalpha() for char in rest) else body


# What may stand between the rail's words and the merchant, each a word of its own.
_LEFTOVERS = listed(
    """VISA MASTERCARD MAESTRO VPAY GIROCARD DEBITKARTE KREDITKARTE DEBITKARTENUMSATZ
    DEBETKAART DEBITCARD CREDITCARD BETAALPAS CARTA KARTA KARTY KARTĄ KARTOU TARJETA CARTAO
    CARTÃO ORE LNK EFT-POS EFTPOS KAARTNUMMER PŁATNOŚĆ PLATNOSC DOP PLN CZK"""
)
_LEFTOVER_NUMBER = re.compile(
    rf"{_DATE}\.?|{_TIME}|[X*]+\d{{4}}|\d{{4,}}|\d+[.,]\d\d|\d{{4,6}}[X*]+\d{{4}}", re.IGNORECASE
)
