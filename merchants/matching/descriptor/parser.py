"""Parses the raw text of a card transaction into its parts.

A descriptor is what acquirers and banks make of a merchant's name in 22 to 40 characters:
`DEBIT PURCHASE -VISA SQ *LOWE FAMILY FARMSTEADKuna ID`. Parsing goes from the outside in: bank
wording (`bank_wording`), the processor (`processors`), the location (`location_parser`), then store
numbers, references and legal forms.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from merchants.matching.descriptor.bank_patterns import AMBIGUOUS_WORDS, STRONG_WORDS, WEAK_WORDS
from merchants.matching.descriptor.bank_wording import strip_bank_wording
from merchants.matching.descriptor.cities import strip_given_city
from merchants.matching.descriptor.contact import DOMAIN, strip_contact
from merchants.matching.descriptor.gazetteer import load_gazetteer
from merchants.matching.descriptor.location import Location, city_key
from merchants.matching.descriptor.location_parser import (
    LocationHints,
    parse_location_column,
    split_location,
    with_marketplace_country,
)
from merchants.matching.descriptor.marketplaces import begins_with_marketplace
from merchants.matching.descriptor.postcodes import is_postcode
from merchants.matching.descriptor.processors import ONLINE, split_intermediary
from merchants.matching.text.normalize import words_of
from merchants.matching.text.word_lists import LEGAL_FORMS, NON_MERCHANT_WORDS, is_everyday

MAX_LENGTH = 500
# As wide as the widest name column; wider gaps carry no more information.
_MAX_GAP = " " * 25
_WIDE_GAP = re.compile(f"{_MAX_GAP}\\s+")
_MAX_NAME_LENGTH = 60  # characters; names are shorter
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "\xa0": " "})
# Masked card numbers, which are no part of the name. The card's expiry date may follow.
_GAP = r"[^0-9A-Za-z*]{0,3}+"
_MASKED_CARD = re.compile(
    rf"""\s?(?<![0-9A-Za-z])(?:
      (?:[0-9]{{6,}}+|[0-9]{{4}}(?!\*{{3}})[^0-9A-Za-z]{{1,3}}+[0-9]{{2}})
      (?:(?:{_GAP}\*){{3,}}+{_GAP}[0-9](?:{_GAP}[0-9]){{3}}[0-9]*+)++
    | [0-9]{{4,6}}+[*Xx]{{5,9}}+[0-9]{{4}}
    )(?![0-9A-Za-z])(?:\s?(?:0[1-9]|1[0-2])/[0-9]{{2}}(?![0-9/]))?""",
    re.VERBOSE,
)
# A name that is only a store number.
_ONLY_STORE = re.compile(
    r"(?:STORE|SHOP|UNIT|FILIALE)\s*+(?:\#|№|NO\.?|NR\.?)?+\s*+\d[\d-]*+", re.IGNORECASE
)
_STORE = re.compile(
    r"""(?:(?<!\s)\s++|(?<=[^\s\d])(?=\#)|^)(?:
      (?:ST\s?\#|STORE\s?\#|\#|№|NO\.?|NR\.?|N°|STR|STORE|LOC|FIL(?:IALE)?|SHOP|UNIT|BR|TRM)
      \s*+(?:[-.:]\s*+)?+[A-Z]{0,2}-?\d[\w-]*+
    | \#\s*+[\w-]*+ | \#(?=\s) | [A-Z]{1,2}-?\d{2}[\w-]*+ | ST\d{2,}+ | \d{3}[\w/-]*+
    | \d{2}-\d{3,}+ | [A-Z]*+\d++[A-Z]++\d[A-Z\d]*+
    )(?=\s|$|[,;*])""",
    re.VERBOSE | re.IGNORECASE,
)
_STREET = re.compile(
    r"\s\d{1,6}[A-Z]?\s++(?:[NSEW]\.?\s++)?(?P<name>(?:(?!\d+\s)[\w.']++\s++){1,3}?)"
    r"(?P<suffix>ST|STREET|AVE?|AVENUE|RD|ROAD|BLVD|DR|DRIVE|LN|LANE|(?:HWY|HIGHWAY)(?:\s\d{1,3})?"
    r"|PKWY|PARKWAY|WAY|CT|COURT|CIR|CIRCLE|LOOP|PL|TERRACE|SQ|SQUARE|TPKE|TURNPIKE)\b\.?"
    r"(?:\s[NSEW]{1,2}\b)?|\sP\.?\s?O\.?\s?BOX\s\d{1,6}\b",
    re.IGNORECASE,
)
_SUITE = re.compile(
    r"[\s,]*+(?:STE|SUITE|UNIT|APT|FL|FLOOR|RM|ROOM|BLDG|\#)\.?\s?\#?[A-Z]?\d[\w-]*+", re.IGNORECASE
)
# Suffixes that are also a state's or country's code: HARTFORD CT, GDANSK PL.
_ALSO_REGIONS = {"CT": "US-CT", "PL": "PL"}
_REFERENCE = re.compile(r"^(?=.*\d)[A-Z0-9][A-Z0-9\-/]{3,}+$|^[A-Z]*+\d[A-Z0-9]*+$", re.IGNORECASE)
_GLUED_NUMBER = re.compile(
    r"(?<=[A-Za-z]{4})(?=\d{6})|(?<=[A-Za-z]{3})(?=\d{9})|(?<=\.com)(?=\d)", re.IGNORECASE
)
_INNER_LEGAL_FORM = re.compile(
    r"(.{3,}?)(?:(?<![\s,])|(?<=^.{3}))[\s,]++(LTD|LIMITED|PLC|INC|LLC|GMBH|SARL|S\.?R\.?L|LTDA)"
    r"\.?,?\s++[A-Z]++(?:\s[A-Z]++)?$",
    re.IGNORECASE,
)
_DASH = re.compile(r"(?<!\s)\s++[-–—|]\s*+|[-–—|]\s++")
_BANK_WORDS = STRONG_WORDS | WEAK_WORDS | AMBIGUOUS_WORDS
_TRAILING = " \t-–—*#.,;:/|&+_('\""
_SMALL_NUMBER = re.compile(r"(?<!\s)\s++\d{1,2}$")
_BLANKS = re.compile(r"\s+")
# ... AT THE MALL, cut off by the column
_LOCATION_WORDS = re.compile(
    r"\s+(?:AT|ON|IN|@)\s+(?:THE\s+)?\w*$|\s+(?:AT|ON|IN|@)\s+THE\b.*$", re.IGNORECASE
)
_CUT_OFF_LETTER = re.compile(r"(?<=\w{3})\s++[A-Z]$")
# Common widths of the name's column, including the processor's prefix.
_COLUMN_WIDTHS = frozenset({16, 20, 21, 22, 23, 24, 25})


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The parts of one descriptor; a missing part is empty (intermediary: None)."""

    raw: str
    text: str  # the merchant as printed, without everything else
    words: tuple[str, ...]  # folded words of the name, store number included
    words_with_location: tuple[str, ...] = ()  # the same, followed by the location's
    intermediary: str | None = None
    domain: str = ""
    is_address: bool = False  # the name itself was printed as a web address: MAX.COM
    phone: str = ""
    store_number: str = ""
    reference: str = ""
    street: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    possible_countries: tuple[str, ...] = ()  # countries that have a town of this name, if several
    legal_form: str = ""
    cut_domain: str = ""  # the start of a web address that a column cut off
    truncated: bool = False  # the name fills its column and may be cut off
    after_star: str = ""  # text after a merchant's star: UBER *EATS
    code: str = ""  # a short code before a star that is no known processor's: VZW*
    bank_country: str = ""  # where banks use such wording; only a hint
    is_cash: bool = False  # cash or the bank's own booking: there is no merchant
    is_movement: bool = False  # between accounts or people: rarely a merchant
    names_customer: bool = False  # the customer's name follows the merchant's

    @property
    def names_no_merchant(self) -> bool:
        """Whether nothing but bank wording and numbers is left."""
        return not self.domain and is_noise(self.text)

    @property
    def shop_signals(self) -> int:
        """How many things are printed that only merchants have: a store number, a location, ..."""
        return (
            bool(self.store_number)
            + bool(self.city or self.region)
            + bool(self.phone or self.domain or self.street)
            + bool(self.legal_form or self.after_star or self.reference)
        )


@lru_cache(maxsize=4096)  # admission, key and match each parse a transaction
def parse(
    raw: str, country: str = "", city: str = "", *, without_location: bool = False
) -> Descriptor:
    """The parts of a raw descriptor; `country` (alpha-2) and `city` are the client's, if given.

    With `without_location` no location is parsed: what looks like a city may be a surname.
    Never raises: what is not recognised stays in `text`.
    """
    sanitized = sanitize(raw)
    wording = strip_bank_wording(sanitized)
    split = split_intermediary(wording.body)
    body = _GLUED_NUMBER.sub(" ", split.body)
    street = ""
    if without_location:
        location = Location(strip_contact(Location(body)).name)
    else:
        body, street, after_street = _split_street(body)
        online = split.intermediary in ONLINE or begins_with_marketplace(body)
        hints = LocationHints(country, wording.country, online)
        location = split_location(body, split.offset, hints)
        for column in filter(None, (after_street, wording.location)):
            location = _merged(location, parse_location_column(column))
        location = strip_given_city(with_marketplace_country(location, body), city)
    name, after_star, reference = _split_star(location.name)
    name, inner_legal_form = _strip_after_legal_form(name)
    domain = location.domain
    if domain and _is_bank_wording(name):
        name = domain.upper()  # CONTACTLESS NETFLIX.COM
    own_domain = DOMAIN.match(name, 0, _MAX_NAME_LENGTH)
    if own_domain and own_domain.end() >= 5:
        domain = own_domain[1].lower()
        label = re.sub(r"(?:\.COM?)?\.[A-Z]+$", "", own_domain[1], flags=re.IGNORECASE).rpartition(
            "."
        )[2]
        name = label + re.sub(r"^/\S*", "", name[own_domain.end() :])
    words = tuple(words_of(name))
    text, store_number = _strip_store_number(name)
    text, truncated = _strip_location_words(text, split.offset)
    text, legal_form = _strip_legal_form(text)
    text = _name_repeated_in_domain(text, location.cut_domain, domain)
    if wording.names_customer and text.count(" ") >= 2:
        text = " ".join(text.split()[:-2])
    if split.is_unstarred and location.region and _is_location(split.body):
        text, words = "", ()  # KLARNA COLUMBUS OH
    if split.code and is_noise(text):
        text, words = split.code, (split.code.lower(),)  # TXU*BILL PAYMENT
    return Descriptor(
        raw=raw,
        text=_BLANKS.sub(" ", text).strip(_TRAILING)
        or (_BLANKS.sub(" ", name).strip() if words else ""),
        words=words,
        words_with_location=tuple(words_of(body[:_MAX_NAME_LENGTH])),
        intermediary=split.intermediary,
        domain=domain,
        is_address=bool(own_domain and own_domain.end() >= 5),
        phone=location.phone,
        store_number=store_number or location.number,
        reference=reference,
        street=street,
        postal_code=_postal_code(location),
        city=location.city,
        region=location.region,
        country=location.country,
        possible_countries=location.possible_countries,
        legal_form=legal_form or inner_legal_form,
        cut_domain=location.cut_domain.lower(),
        truncated=truncated,
        after_star=after_star,
        code=split.code,
        bank_country=wording.country,
        is_cash=wording.is_cash,
        is_movement=wording.is_movement,
        names_customer=wording.names_customer,
    )


def _postal_code(location: Location) -> str:
    """The postcode, if it has its country's shape."""
    for code in (location.postal_code, location.number):
        if code and is_postcode(code, location.country, location.region):
            return code
    return ""


def _is_bank_wording(name: str) -> bool:
    """Whether a name is nothing but bank wording."""
    return all(word in NON_MERCHANT_WORDS or word.upper() in _BANK_WORDS for word in words_of(name))


def _is_location(text: str) -> bool:
    """Whether a text is only a city with its state or country."""
    location = split_location(f"X  {text}")
    return location.name == "X" and bool(location.city and location.region)


@lru_cache(maxsize=1024)  # used for the parts of a text and for its kind
def sanitize(raw: str) -> str:
    """Compose compatible forms, blank control characters, remove masked card numbers.

    Gaps of up to 25 blanks stay.
    """
    text = raw[:MAX_LENGTH]
    if not text.isascii():
        # One character may become a dozen.
        text = unicodedata.normalize("NFKC", text)[:MAX_LENGTH].translate(_QUOTES)
    text = (
        "".join(
            char if char.isprintable() else " "
            for char in text
            if unicodedata.category(char) != "Cf"
        )
        if not (text.isascii() and text.isprintable())
        else text
    )
    if "*" in text or "X" in text.upper():
        text = _MASKED_CARD.sub("", text)
    return _WIDE_GAP.sub(_MAX_GAP, text.replace("_", " ").strip())


def is_noise(text: str) -> bool:
    """Whether a text names no merchant: bank wording, numbers, single letters."""
    tokens = text.split()
    if "&" in tokens:
        return False  # initials: B & Q
    return all(_is_noise_token(token) for token in tokens)


@lru_cache(maxsize=4096)  # a long text of single characters repeats its tokens
def _is_noise_token(token: str) -> bool:
    words = words_of(token)
    if (
        len(words) > 1
        and all(len(word) <= 3 and word.isalpha() for word in words[:1])
        and all(len(word) <= 2 or word == "and" for word in words)
    ):
        return False  # initials: AT&T, H-E-B
    return all(
        word in NON_MERCHANT_WORDS or len(word) == 1 or _mostly_digits(word) for word in words
    )


def _mostly_digits(word: str) -> bool:
    return sum(char.isdigit() for char in word) * 2 > len(word)


def _merged(location: Location, column: Location) -> Location:
    """A location completed by that of a separate column, which takes precedence."""
    return Location(
        name=location.name,
        city=column.city or location.city,
        region=column.region or location.region,
        country=column.country or location.country,
        phone=column.phone or location.phone,
        domain=column.domain or location.domain,
        possible_countries=location.possible_countries,
        number=column.number or location.number,
        postal_code=column.postal_code or location.postal_code,
        cut_domain=column.cut_domain or location.cut_domain,
    )


def _split_street(body: str) -> tuple[str, str, str]:
    """The text up to a street, the street, and the text after it: the city."""
    match = _STREET.search(body)
    if not match or match.start() < 3 or not any(map(str.isalpha, body[: match.start()])):
        return body, "", ""
    after_street = body[match.end() :]
    while suite := _SUITE.match(after_street):
        after_street = after_street[suite.end() :]
    if match["suffix"] and _is_town(
        match["name"].strip(), match["suffix"].upper(), after_street.split()
    ):
        return body, "", ""
    return body[: match.start()], match[0].strip(), after_street.replace("*", " ").strip(" ,")


def _is_town(name: str, suffix: str, words_after: list[str]) -> bool:
    """Whether what looks like a street is a city: `EAST ST LOUIS`, `HARTFORD CT`."""
    gazetteer = load_gazetteer()
    if suffix == "ST" and words_after:
        return bool(gazetteer.regions(city_key(f"{name} SAINT {words_after[0]}".upper())))
    region = _ALSO_REGIONS.get(suffix)
    only_numbers = all(word.upper() in ("US", "USA") or not word.isalpha() for word in words_after)
    return bool(region) and only_numbers and gazetteer.lies_in(city_key(name), region or "")


def _split_star(name: str) -> tuple[str, str, str]:
    """The name, the words after its star, and the reference after its star."""
    before, star, after = name.partition("*")
    if not star:
        return name, "", ""
    before, after = before.strip(), after.strip(" *")
    if not before:
        return after, "", ""
    first = after.split(" ", 1)[0]
    if not after or (any(char.isdigit() for char in first) and _REFERENCE.match(first)):
        return before, "", first
    return f"{before} {after}", after, ""


def _strip_store_number(name: str) -> tuple[str, str]:
    """The name up to its store number or reference, and that number."""
    first_letter = next((index for index, char in enumerate(name) if char.isalpha()), len(name))
    for match in _STORE.finditer(name):
        if match.start() <= first_letter:
            continue
        head = name[: match.start()].strip(_TRAILING)
        if len(head) > 1:
            return head, match[0].strip(" #")
    return name.rstrip(" #"), name if _ONLY_STORE.fullmatch(name) else ""


def _strip_location_words(text: str, offset: int) -> tuple[str, bool]:
    """The name without the branch after a dash or `AT THE`, and whether its column cut it off."""
    truncated = len(text) + offset in _COLUMN_WIDTHS
    dash = _DASH.search(text)
    head = text[: dash.start()] if dash else ""
    if dash and is_noise(head) and not is_noise(after_dash := text[dash.end() :]):
        return after_dash, False  # PAID TO - SPECTRUM
    if dash and _is_own_name(head) and any(char.isalpha() for char in head):
        return text[: dash.start()], False
    if truncated:
        match = _LOCATION_WORDS.search(text)
        if match and _is_own_name(text[: match.start()]):
            return text[: match.start()], False
        text = _CUT_OFF_LETTER.sub("", text)
    shorter = _SMALL_NUMBER.sub("", text)
    if _is_own_name(shorter):
        text = shorter
    return text, truncated


def _is_own_name(text: str) -> bool:
    """Whether a text is a name of its own, not merely a kind of shop."""
    words = words_of(text)
    return len(words) > 1 or (bool(words) and len(words[0]) > 1 and not is_everyday(words[0]))


def _strip_after_legal_form(name: str) -> tuple[str, str]:
    """`ARGOS LTD HARROW`: strip the branch after a legal form."""
    match = _INNER_LEGAL_FORM.match(name)
    return (match[1], match[2]) if match else (name, "")


def _strip_legal_form(text: str) -> tuple[str, str]:
    """The name without its legal form (`SMOKO INC.` gives SMOKO), and the form."""
    form = ""
    while True:
        head, _, last_word = text.rstrip(_TRAILING).rpartition(" ")
        word = last_word.strip("(),").replace(".", "").casefold()
        if not head.strip() or word not in LEGAL_FORMS:
            return text, form
        text, form = head.rstrip(_TRAILING), last_word


def _name_repeated_in_domain(text: str, cut_domain: str, domain: str) -> str:
    """`KIRO PRO` followed by kiro.dev is Kiro: the domain says where the name ends."""
    parts = domain.split(".")
    # Names of schools, offices and clubs are longer than their domain (smith.edu).
    label = parts[-2] if len(parts) > 1 and parts[-1] not in ("edu", "gov", "org") else ""
    label = re.sub(r"\W", "", label)
    words = text.split()
    if len(label) >= 4:
        spelling = ""
        for count in range(1, len(words)):
            spelling += "".join(words_of(words[count - 1]))
            if spelling == label:
                return " ".join(words[:count])
            if not label.startswith(spelling):
                break
    if cut_domain and len(words) > 1 and len(words[-1]) == 1 and not text.endswith("."):
        return " ".join(words[:-1])
    return text
