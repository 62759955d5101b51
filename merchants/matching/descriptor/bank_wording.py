"""What card rails and banks print around the merchant, in several languages: none of it names one.

A bank puts words before the descriptor (`CHECKCARD 0712`, `CARTE 12/03`), behind it (`Card xx1788
Value Date: 02/01/2019`) or arranges its own columns (`NAME 03/21 PURCHASE CITY ST`).
"""

import re
from typing import NamedTuple

from merchants.matching.descriptor.bank_patterns import (
    BEFORE,
    BEHIND,
    CASH,
    DOUBTFUL_WORDS,
    FIRM_WORDS,
    LOOSE_WORDS,
    MOVEMENTS,
)
from merchants.matching.text.word_lists import word_set

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
    is_cash: bool = False  # cash or the bank's own booking: there is no merchant
    is_movement: bool = False  # between accounts or people: seldom a merchant
    names_customer: bool = False  # the customer's own name stands behind the merchant's


# Arrangements in which the bank says which part is the merchant (name) and which the place.
_FORMATS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # NAME 03/21 MOBILE PURCHASE CITY ST
        (
            rf"(?P<name>.+?)(?<!\s)\s++{_DATE}\s++(?:MOBILE |RECURRING |ONLINE |INTL? )?"
            r"(?:PURCHASE|PURCH|PMT|PAYMENT|REFUND|RETURN)(?: RETURN| REFUND)?(?:\s+(?P<place>.*))?"
        ),
        # BEA NR:X1Y2 31.01.24/12.34 NAME,PAS123 CITY
        (
            rf"(?:BEA|GEA)\s+NR:\s?\S++\s++{_DATE}[/ ]{_TIME}\s++(?P<name>[^,]++),\s*PAS\s?\d+"
            r"\s*(?P<place>.*)"
        ),
        # BEA, Betaalpas NAME,PAS123 NR:CT123456, 31.01.24/12:34 CITY
        (
            r"(?:BEA|GEA|BETAALAUTOMAAT),?\s++"
            r"(?:BETAALPAS|APPLE PAY|GOOGLE PAY|CREDITCARD|DEBITCARD)?,?"
            rf"\s*+(?P<name>[^,]++),\s*PAS\s?\d+(?:\s+NR:\s?\S+)?(?:\s+{_DATE}\S*)?\s*(?P<place>.*)"
        ),
        # WIRE TYPE:WIRE OUT DATE:… BNF:NAME ID:…
        (
            r"(?:FED)?WIRE\s.*?\b(?:BNF|BENE(?:FICIARY)?|ORIG(?:INATOR)?|ORG)\s?:\s*+"
            r"(?P<name>[^:]+?)(?P<place>)"
            r"(?:(?<!\s)\s++(?:ID|[A-Z]{2,4} BK|BK|OGB|PMT DET|DETAIL|INFO|ADDR?)\s?:.*)?"
        ),
        # BoA's and Chase's arrangement of an ACH payment
        r"(?P<name>.+?)(?<!\s)\s++DES:(?P<place>).*",
        r"ORIG CO NAME:\s*+(?P<name>.+?)(?<!\s)\s++(?:ORIG ID|CO ENTRY|DESC DATE)(?P<place>).*",
        # UPI-NAME-id@bank and UPI/123/NAME/...
        r"UPI[-/](?:(?:P2[MPA]|DR|CR)[-/])?(?:\d+[-/])?(?:[A-Z]{2}[-/])?(?P<name>[^-/@]{3,}+)(?P<place>)(?:[-/].*)?",
        r"ECOM\s+PUR/(?P<name>[^/]{3,})/(?P<place>[^/]*)/.*",
        # Withdrawal ACH NAME TYPE: PAYMENT CO: NAME
        r"(?>(?P<name>.+?)(?<!\s)\s++TYPE:\s).*?CO:(?P<place>).*",
        # SEPA Incasso ... Naam: NAME Machtiging: ...
        (
            r"SEPA\s.*?\bNAAM:\s*+(?P<name>.+?)(?P<place>)"
            r"(?:(?<!\s)\s++(?:MACHTIGING|OMSCHRIJVING|IBAN|KENMERK|BIC|INCASSANT|VALUTADATUM):?.*)?"
        ),
        # /TRTP/SEPA Incasso/CSID/.../NAME/ZIGGO/MARF/...
        r"/TRTP/.*?/NAME/(?P<name>[^/]+)(?P<place>)(?:/.*)?",
        # ICICI: VIN/NAME/date/reference; Santander: NAME,12.34 GBP, RATE ...
        r"(?:VIN|VPS|IPS)/(?P<name>[^/]{3,})(?P<place>)/.*",
        r"(?:CARD PAYMENT TO )?(?P<name>[^,]+),\s*\d+\.\d\d [A-Z]{3},(?P<place>).*",
        # COMPRA NAME, TARJETA 1234, COMISION 0,00
        r"(?P<name>[^,]+),\s*TARJ(?:ETA)?\.?(?P<place>)\b.*",
        # Name//Ort/DE
        r"(?P<name>.+?)(?<!\s)(?:\s++[A-Z]{2})?+\s*+//(?P<place>[^/]+(?:/[A-Z]{2})?)(?:[\s/]{1,30}+\d.*)?",
        # Bezahlung ... NAME Datum, NL: 31-01-2024 12:34 NAME CITY NLD Pasnr
        rf"(?:PASVOLGNR|PASNR|KAARTNUMMER)\S*+\s++\S++\s++(?P<name>.+?)(?<!\s)\s++{_DATE}\s*+(?P<place>)",
    )
]


def _any_of(patterns: tuple[str, ...]) -> str:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return joined.replace("<date>", _DATE).replace("<time>", _TIME)


_BEFORE = re.compile(rf"(?:{_any_of(BEFORE)})(?:\s+|(?<=[-–:,;.|/\]])|$)", re.IGNORECASE)
_BEHIND = re.compile(rf"(?:(?<!\s)\s++|(?<=[,;]))(?:{_any_of(BEHIND)})\s*+[,;.]?$", re.IGNORECASE)

# The country whose banks begin a line so. Only a hint: their customers also pay elsewhere.
_LANGUAGES = re.compile(
    "|".join(
        f"(?P<{code}>{pattern})"
        for code, pattern in {
            "FR": r"CARTE\s+(?:X?\d|[A-Z])|CB[\s*]|PRLV|PRELEVEMENT|PR[ÉE]L[ÈE]VEMENT|ACHAT\s+CB"
            r"|PAIEMENT\s+(?:PAR|CB)|FACTURE\s+CARTE|VIR(?:EMENT)?\s",
            "DE": r"(?:SEPA[- ]?)?(?:\w*)LASTSCHRIFT|KARTENZAHLUNG|GIROCARD|EC\s\d"
            r"|.{2,40}//[^/]|KAUFUMSATZ",
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
    ),
    re.IGNORECASE,
)


# ZARA GRAN VIA-MADRID
_SPANISH_TOWN = re.compile(
    r"(?P<name>.{3,}\s\S+)-\s?(?P<place>[^\W\d][^\W\d. ]{3,}+(?: [^\W\d]++)*+)"
)

# PayPal's own arrangements: what was bought from whom stands behind its references.
_PAYPAL = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"PAYPAL\b.*?\bIHR\s+EINKAUF\s+BEI\s++(?P<name>.+?)(?:,.*)?",
        (
            r"PAYPAL\s+DES:\s?(?:INST\s+XFER|ECHECK|RETRY\s+PYMT)\s+ID:\s?"
            r"(?P<name>(?!\S*\d{4})\S.*?)(?<!\s)\s++INDN:.*"
        ),
        (
            r"PAYPAL\s*\(?EUROPE\)?\s+S\.?\s?A\.?\s?R?\.?\s?L\.?(?:\s*+(?:,\s*+)?ET\.?\s+CIE\.?"
            r"(?:\s*+(?:,\s*+)?S\.?\s?C\.?\s?A\.?)?)?[\s,]+(?:[\d/.,]++\s++|PP\.\S*+\s++)*+(?P<name>.+)"
        ),
    )
]
_PAYPAL_TRANSFER = re.compile(
    r"PAYPAL\s+INST(?:ANT)?\s+(?:XFER|TRANSFER)\s+\d{6}\s+(?P<name>\D.+)", re.IGNORECASE
)
_CASH = re.compile(f"(?:{'|'.join(f'(?:{pattern})' for pattern in CASH)})", re.IGNORECASE)
_MOVEMENT = re.compile(f"(?:{'|'.join(f'(?:{pattern})' for pattern in MOVEMENTS)})", re.IGNORECASE)


def peel(text: str) -> Peeled:
    """`text` without the rail's words; the place apart where the bank's columns say so."""
    peeled = _peel(text)
    return peeled._replace(
        is_cash=bool(_CASH.match(text)), is_movement=bool(_MOVEMENT.match(text[:_LOOKED_AT]))
    )


def _peel(text: str) -> Peeled:
    if text[:6].upper() == "PAYPAL":
        for layout in _PAYPAL:
            if found := layout.fullmatch(text):
                return Peeled(f"PAYPAL *{found['name']}", "", "")
        if found := _PAYPAL_TRANSFER.fullmatch(text):
            return Peeled(f"PAYPAL *{found['name']}", "", "", names_customer=True)
    body, place = text.strip(), ""
    country = found.lastgroup or "" if (found := _LANGUAGES.match(body)) else ""
    body = _peel_behind(body)
    for layout in _FORMATS:
        found = layout.fullmatch(body)
        if found and found["name"].strip():
            body, place = found["name"].strip(), (found["place"] or "").strip(" ,/")
            break
    body = _peel_front(body)
    if country == "ES" and not place and (found := _SPANISH_TOWN.fullmatch(body)):
        body, place = found["name"], found["place"]
    if place:
        body = _peel_front(body)
        body = _peel_behind(body)
    return Peeled(body, place, country)


def _peel_behind(body: str) -> str:
    for _ in range(_MOST_BEHIND):
        found = _BEHIND.search(body, len(body) - _LONGEST_BEHIND)
        shorter = body[: found.start()].strip() if found else ""
        if not shorter:
            break
        body = shorter
    return body


def _peel_front(body: str) -> str:
    whole = body
    for _ in range(8):
        found = _BEFORE.match(body)
        shorter = body[found.end() :].lstrip() if found else ""
        if not shorter:
            break
        body = shorter
    body = _past_words(_past_a_number(body), firm=body != whole)
    peeled = body != whole
    if peeled and (dated := _BEFORE.match(body)) and body[dated.end() :].strip():
        body = body[dated.end() :].lstrip()
    words = body.split(" ")
    while len(words) > 1 and (
        words[0].upper().rstrip(".:") in _LEFTOVERS
        or not words[0]
        or (peeled and _LEFTOVER_NUMBER.fullmatch(words[0]))
    ):
        words.pop(0)
        peeled = True
    rest = " ".join(words)
    return rest if any(char.isalpha() for char in rest) else body


def _past_words(body: str, *, firm: bool) -> str:
    """Past a run of the bank's words, numbers and dates, if one of the words is a firm sign.

    `firm` says that such words were already taken off in front.
    """
    tokens = body.split()
    end = 0
    for at, token in enumerate(tokens[:_LONGEST_RUN]):
        word = token.upper().strip("-–/:.,#()")
        joined = _JOINED.match(token)
        if joined and joined[1].upper() in FIRM_WORDS:
            return " ".join((token[joined.end() :], *tokens[at + 1 :]))
        if word in FIRM_WORDS:
            firm, end = True, at + 1
        elif word in LOOSE_WORDS or (not word and end == at):
            end = at + 1 if firm or at == 0 else end
        elif word in DOUBTFUL_WORDS:
            end = at + 1 if firm and at and tokens[at - 1] in ("-", "–") else end
        elif firm and (_leads_on(word, tokens, at, end) or _is_run_number(word)):
            end = at + 1
        else:
            break
    rest = " ".join(tokens[end:])
    if not (firm and end) or sum(char.isalpha() for char in rest) < 2:
        return body
    # The runs of blanks between columns stay.
    return body[body.find(tokens[end], len("".join(tokens[:end]))) :]


def _leads_on(word: str, tokens: list[str], at: int, end: int) -> bool:
    """`to`, `from`, `for`, `at` behind the bank's words, and `on` before a date."""
    if end != at or word not in ("TO", "FROM", "FOR", "AT", "ON"):
        return False
    if word == "ON":
        return at + 1 < len(tokens) and any(char.isdigit() for char in tokens[at + 1])
    return word != "AT" or at > 0


def _is_run_number(word: str) -> bool:
    return bool(_RUN_NUMBER.fullmatch(word)) and word not in _NUMBER_NAMES


_JOINED = re.compile(r"([A-Z']{2,}+)[-/:](?=[A-Z].{2})", re.IGNORECASE)  # PUR-ARCO
_LONGEST_RUN = 12  # words
_RUN_NUMBER = re.compile(
    rf"{_DATE}|{_TIME}\s?[AP]?M?|\d{{3,}}|[\dX*]*[X*]{{2}}\d{{3,4}}|POS\d{{4,}}", re.IGNORECASE
)
_NUMBER_NAMES = frozenset({"365", "711", "888", "580", "1800"})


def _past_a_number(body: str) -> str:
    """`VISA CHECK CARD 7731 NAME`: nothing but the bank's words before a number names anybody."""
    found = _NUMBERED.match(body)
    if found and sum(char.isalpha() for char in body[found.end() :]) >= 3:
        rest = body[found.end() :]
        before = _BEFORE.match(rest)
        return (rest[before.end() :] if before else rest).lstrip() or body
    return body


_NUMBERED = re.compile(
    r"(?:(?:ACH|AP|ATM|BANK|CARD|CARTE|CASH|CHECK|CKCD|CONTACTLESS|CRD|CREDIT|DB|DBT|DDA|DEB|DEBIT|EC"
    r"|EXTERNAL|KARTE|MASTERCARD|MC|ONLINE|PAYMENT|PIN|PMT|POS|PUR|PURCH|PURCHASE|RECURRING|SALE|SIG"
    r"|TARJETA|TERMINAL|TRANS|TRANSACTION|TXN|VISA|WD|WITHDRAWAL)[\s:/-]++)++"
    rf"(?:{_DATE}(?=\s)|\#?\d{{3,}}|[\dX*]*[X*]{{2}}\d{{3,4}}|(?:REF|NO|NR)\.?\s?\#?\d{{3,}})[\s:/-]+",
    re.IGNORECASE,
)
_MOST_BEHIND = 16  # of the rail's phrases behind one another
_LONGEST_BEHIND = 150  # characters
_LOOKED_AT = 120  # characters that a movement is recognised by


# What may stand between the rail's words and the merchant, each a word of its own.
_LEFTOVERS = word_set(
    """VISA MASTERCARD MAESTRO VPAY GIROCARD DEBITKARTE KREDITKARTE DEBITKARTENUMSATZ
    DEBETKAART DEBITCARD CREDITCARD BETAALPAS CARTA KARTA KARTY KARTĄ KARTOU TARJETA CARTAO
    CARTÃO ORE LNK EFT-POS EFTPOS KAARTNUMMER PŁATNOŚĆ PLATNOSC DOP PLN CZK"""
)
_LEFTOVER_NUMBER = re.compile(
    rf"{_DATE}\.?|{_TIME}|[X*]+\d{{4}}|\d{{4,}}|\d+[.,]\d\d|\d{{4,6}}[X*]+\d{{4}}", re.IGNORECASE
)
