"""Strips bank wording, in several languages: what banks print around the merchant's name.

A bank puts words before the descriptor (`CHECKCARD 0712`, `CARTE 12/03`), after it (`Card xx1788
Value Date: 02/01/2019`) or has a layout of its own (`NAME 03/21 PURCHASE CITY ST`).
"""

import re
from typing import NamedTuple

from merchants.matching.descriptor.bank_patterns import (
    AMBIGUOUS_WORDS,
    CASH,
    MOVEMENTS,
    PREFIXES,
    STRONG_WORDS,
    SUFFIXES,
    WEAK_WORDS,
)
from merchants.matching.text.word_lists import word_set

_DATE = (
    r"(?:\d{1,2}[/.\-]\d{1,2}(?:[/.\-]\d{2,4})?"
    r"|\d{1,2}(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)(?:\d{2,4})?)"
)
_TIME = r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?"


class BankWording(NamedTuple):
    """A descriptor without bank wording, and what that wording says."""

    body: str
    location: str
    country: str  # alpha-2, where banks use such wording; empty if unknown
    is_cash: bool = False  # cash or the bank's own booking: there is no merchant
    is_movement: bool = False  # between accounts or people: seldom a merchant
    names_customer: bool = False  # the customer's name follows the merchant's


# Layouts in which the bank marks which part is the merchant (name) and which the location.
_LAYOUTS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # NAME 03/21 MOBILE PURCHASE CITY ST
        (
            rf"(?P<name>.+?)(?<!\s)\s++{_DATE}\s++(?:MOBILE |RECURRING |ONLINE |INTL? )?"
            r"(?:PURCHASE|PURCH|PMT|PAYMENT|REFUND|RETURN)(?: RETURN| REFUND)?"
            r"(?:\s+(?P<location>.*))?"
        ),
        # BEA NR:X1Y2 31.01.24/12.34 NAME,PAS123 CITY
        (
            rf"(?:BEA|GEA)\s+NR:\s?\S++\s++{_DATE}[/ ]{_TIME}\s++(?P<name>[^,]++),\s*PAS\s?\d+"
            r"\s*(?P<location>.*)"
        ),
        # BEA, Betaalpas NAME,PAS123 NR:CT123456, 31.01.24/12:34 CITY
        (
            r"(?:BEA|GEA|BETAALAUTOMAAT),?\s++"
            r"(?:BETAALPAS|APPLE PAY|GOOGLE PAY|CREDITCARD|DEBITCARD)?,?"
            rf"\s*+(?P<name>[^,]++),\s*PAS\s?\d+(?:\s+NR:\s?\S+)?(?:\s+{_DATE}\S*)?\s*(?P<location>.*)"
        ),
        # WIRE TYPE:WIRE OUT DATE:… BNF:NAME ID:…
        (
            r"(?:FED)?WIRE\s.*?\b(?:BNF|BENE(?:FICIARY)?|ORIG(?:INATOR)?|ORG)\s?:\s*+"
            r"(?P<name>[^:]+?)(?P<location>)"
            r"(?:(?<!\s)\s++(?:ID|[A-Z]{2,4} BK|BK|OGB|PMT DET|DETAIL|INFO|ADDR?)\s?:.*)?"
        ),
        # BoA's and Chase's layout of an ACH payment
        r"(?P<name>.+?)(?<!\s)\s++DES:(?P<location>).*",
        r"ORIG CO NAME:\s*+(?P<name>.+?)(?<!\s)\s++(?:ORIG ID|CO ENTRY|DESC DATE)(?P<location>).*",
        # UPI-NAME-id@bank and UPI/123/NAME/...
        r"UPI[-/](?:(?:P2[MPA]|DR|CR)[-/])?(?:\d+[-/])?(?:[A-Z]{2}[-/])?(?P<name>[^-/@]{3,}+)(?P<location>)(?:[-/].*)?",
        r"ECOM\s+PUR/(?P<name>[^/]{3,})/(?P<location>[^/]*)/.*",
        # Withdrawal ACH NAME TYPE: PAYMENT CO: NAME
        r"(?>(?P<name>.+?)(?<!\s)\s++TYPE:\s).*?CO:(?P<location>).*",
        # SEPA Incasso ... Naam: NAME Machtiging: ...
        (
            r"SEPA\s.*?\bNAAM:\s*+(?P<name>.+?)(?P<location>)"
            r"(?:(?<!\s)\s++(?:MACHTIGING|OMSCHRIJVING|IBAN|KENMERK|BIC|INCASSANT|VALUTADATUM):?.*)?"
        ),
        # /TRTP/SEPA Incasso/CSID/.../NAME/ZIGGO/MARF/...
        r"/TRTP/.*?/NAME/(?P<name>[^/]+)(?P<location>)(?:/.*)?",
        # ICICI: VIN/NAME/date/reference; Santander: NAME,12.34 GBP, RATE ...
        r"(?:VIN|VPS|IPS)/(?P<name>[^/]{3,})(?P<location>)/.*",
        r"(?:CARD PAYMENT TO )?(?P<name>[^,]+),\s*\d+\.\d\d [A-Z]{3},(?P<location>).*",
        # COMPRA NAME, TARJETA 1234, COMISION 0,00
        r"(?P<name>[^,]+),\s*TARJ(?:ETA)?\.?(?P<location>)\b.*",
        # Name//Ort/DE
        r"(?P<name>.+?)(?<!\s)(?:\s++[A-Z]{2})?+\s*+//(?P<location>[^/]+(?:/[A-Z]{2})?)(?:[\s/]{1,30}+\d.*)?",
        # Bezahlung ... NAME Datum, NL: 31-01-2024 12:34 NAME CITY NLD Pasnr
        rf"(?:PASVOLGNR|PASNR|KAARTNUMMER)\S*+\s++\S++\s++(?P<name>.+?)(?<!\s)\s++{_DATE}\s*+(?P<location>)",
    )
]


def _any_of(patterns: tuple[str, ...]) -> str:
    joined = "|".join(f"(?:{pattern})" for pattern in patterns)
    return joined.replace("<date>", _DATE).replace("<time>", _TIME)


_PREFIX = re.compile(rf"(?:{_any_of(PREFIXES)})(?:\s+|(?<=[-–:,;.|/\]])|$)", re.IGNORECASE)
_SUFFIX = re.compile(rf"(?:(?<!\s)\s++|(?<=[,;]))(?:{_any_of(SUFFIXES)})\s*+[,;.]?$", re.IGNORECASE)

# The country whose banks begin a line so. Only a hint: their customers also pay abroad.
_BANK_COUNTRIES = re.compile(
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
    r"(?P<name>.{3,}\s\S+)-\s?(?P<location>[^\W\d][^\W\d. ]{3,}+(?: [^\W\d]++)*+)"
)

# PayPal's own layouts: the merchant follows its references.
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


def strip_bank_wording(text: str) -> BankWording:
    """`text` without bank wording; the location apart where the bank's layout marks it."""
    wording = _strip(text)
    return wording._replace(
        is_cash=bool(_CASH.match(text)),
        is_movement=bool(_MOVEMENT.match(text[:_MOVEMENT_PREFIX_LENGTH])),
    )


def _strip(text: str) -> BankWording:
    if text[:6].upper() == "PAYPAL":
        for layout in _PAYPAL:
            if match := layout.fullmatch(text):
                return BankWording(f"PAYPAL *{match['name']}", "", "")
        if match := _PAYPAL_TRANSFER.fullmatch(text):
            return BankWording(f"PAYPAL *{match['name']}", "", "", names_customer=True)
    body, location = text.strip(), ""
    country = match.lastgroup or "" if (match := _BANK_COUNTRIES.match(body)) else ""
    body = _strip_suffixes(body)
    for layout in _LAYOUTS:
        match = layout.fullmatch(body)
        if match and match["name"].strip():
            body, location = match["name"].strip(), (match["location"] or "").strip(" ,/")
            break
    body = _strip_prefixes(body)
    if country == "ES" and not location and (match := _SPANISH_TOWN.fullmatch(body)):
        body, location = match["name"], match["location"]
    if location:
        body = _strip_prefixes(body)
        body = _strip_suffixes(body)
    return BankWording(body, location, country)


def _strip_suffixes(body: str) -> str:
    for _ in range(_MAX_SUFFIXES):
        match = _SUFFIX.search(body, len(body) - _MAX_SUFFIX_LENGTH)
        shorter = body[: match.start()].strip() if match else ""
        if not shorter:
            break
        body = shorter
    return body


def _strip_prefixes(body: str) -> str:
    original = body
    for _ in range(8):
        match = _PREFIX.match(body)
        shorter = body[match.end() :].lstrip() if match else ""
        if not shorter:
            break
        body = shorter
    body = _skip_bank_words(_skip_numbered_prefix(body), has_strong=body != original)
    stripped = body != original
    if stripped and (prefix := _PREFIX.match(body)) and body[prefix.end() :].strip():
        body = body[prefix.end() :].lstrip()
    words = body.split(" ")
    while len(words) > 1 and (
        words[0].upper().rstrip(".:") in _LEFTOVERS
        or not words[0]
        or (stripped and _LEFTOVER_NUMBER.fullmatch(words[0]))
    ):
        words.pop(0)
        stripped = True
    rest = " ".join(words)
    return rest if any(char.isalpha() for char in rest) else body


def _skip_bank_words(body: str, *, has_strong: bool) -> str:
    """Skip a run of bank words, numbers and dates, if one of the words is strong.

    `has_strong` says that such words were already stripped.
    """
    tokens = body.split()
    end = 0
    for index, token in enumerate(tokens[:_MAX_SKIPPED_WORDS]):
        word = token.upper().strip("-–/:.,#()")
        joined = _JOINED_WORDS.match(token)
        if joined and joined[1].upper() in STRONG_WORDS:
            return " ".join((token[joined.end() :], *tokens[index + 1 :]))
        if word in STRONG_WORDS:
            has_strong, end = True, index + 1
        elif word in WEAK_WORDS or (not word and end == index):
            end = index + 1 if has_strong or index == 0 else end
        elif word in AMBIGUOUS_WORDS:
            end = index + 1 if has_strong and index and tokens[index - 1] in ("-", "–") else end
        elif has_strong and (_is_connector(word, tokens, index, end) or _is_skipped_number(word)):
            end = index + 1
        else:
            break
    rest = " ".join(tokens[end:])
    if not (has_strong and end) or sum(char.isalpha() for char in rest) < 2:
        return body
    # Keep the runs of blanks between columns.
    return body[body.find(tokens[end], len("".join(tokens[:end]))) :]


def _is_connector(word: str, tokens: list[str], index: int, end: int) -> bool:
    """`to`, `from`, `for`, `at` after bank words, and `on` before a date."""
    if end != index or word not in ("TO", "FROM", "FOR", "AT", "ON"):
        return False
    if word == "ON":
        return index + 1 < len(tokens) and any(char.isdigit() for char in tokens[index + 1])
    return word != "AT" or index > 0


def _is_skipped_number(word: str) -> bool:
    return bool(_SKIPPED_NUMBER.fullmatch(word)) and word not in _NUMERIC_NAMES


_JOINED_WORDS = re.compile(r"([A-Z']{2,}+)[-/:](?=[A-Z].{2})", re.IGNORECASE)  # PUR-ARCO
_MAX_SKIPPED_WORDS = 12
_SKIPPED_NUMBER = re.compile(
    rf"{_DATE}|{_TIME}\s?[AP]?M?|\d{{3,}}|[\dX*]*[X*]{{2}}\d{{3,4}}|POS\d{{4,}}", re.IGNORECASE
)
_NUMERIC_NAMES = frozenset({"365", "711", "888", "580", "1800"})


def _skip_numbered_prefix(body: str) -> str:
    """`VISA CHECK CARD 7731 NAME`: bank words before a number name no merchant."""
    match = _NUMBERED_PREFIX.match(body)
    if match and sum(char.isalpha() for char in body[match.end() :]) >= 3:
        rest = body[match.end() :]
        prefix = _PREFIX.match(rest)
        return (rest[prefix.end() :] if prefix else rest).lstrip() or body
    return body


_NUMBERED_PREFIX = re.compile(
    r"(?:(?:ACH|AP|ATM|BANK|CARD|CARTE|CASH|CHECK|CKCD|CONTACTLESS|CRD|CREDIT|DB|DBT|DDA|DEB|DEBIT|EC"
    r"|EXTERNAL|KARTE|MASTERCARD|MC|ONLINE|PAYMENT|PIN|PMT|POS|PUR|PURCH|PURCHASE|RECURRING|SALE|SIG"
    r"|TARJETA|TERMINAL|TRANS|TRANSACTION|TXN|VISA|WD|WITHDRAWAL)[\s:/-]++)++"
    rf"(?:{_DATE}(?=\s)|\#?\d{{3,}}|[\dX*]*[X*]{{2}}\d{{3,4}}|(?:REF|NO|NR)\.?\s?\#?\d{{3,}})[\s:/-]+",
    re.IGNORECASE,
)
_MAX_SUFFIXES = 16  # phrases in a row
_MAX_SUFFIX_LENGTH = 150  # characters
_MOVEMENT_PREFIX_LENGTH = 120  # characters that are searched for a movement's wording


# Words that may stand between bank wording and the merchant.
_LEFTOVERS = word_set(
    """VISA MASTERCARD MAESTRO VPAY GIROCARD DEBITKARTE KREDITKARTE DEBITKARTENUMSATZ
    DEBETKAART DEBITCARD CREDITCARD BETAALPAS CARTA KARTA KARTY KARTĄ KARTOU TARJETA CARTAO
    CARTÃO ORE LNK EFT-POS EFTPOS KAARTNUMMER PŁATNOŚĆ PLATNOSC DOP PLN CZK"""
)
_LEFTOVER_NUMBER = re.compile(
    rf"{_DATE}\.?|{_TIME}|[X*]+\d{{4}}|\d{{4,}}|\d+[.,]\d\d|\d{{4,6}}[X*]+\d{{4}}", re.IGNORECASE
)
