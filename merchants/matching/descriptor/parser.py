"""From the raw text of a card transaction to its parts.

A descriptor is what acquirers and banks made of a merchant's name in 22 to 40 characters:
`DEBIT PURCHASE -VISA SQ *LOWE FAMILY FARMSTEADKuna ID`. Parsing goes from the outside in: the
bank's words (`rails`), the processor (`intermediaries`), the place behind (`location`), then store
numbers, references and legal forms.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from merchants.matching.descriptor.bank_patterns import DOUBTFUL_WORDS, FIRM_WORDS, LOOSE_WORDS
from merchants.matching.descriptor.bank_wording import peel
from merchants.matching.descriptor.cities import strip_given_city
from merchants.matching.descriptor.contact import DOMAIN, strip_contact
from merchants.matching.descriptor.gazetteer import gazetteer
from merchants.matching.descriptor.location import Known, read_place, split_place, with_market
from merchants.matching.descriptor.marketplaces import begins_with_marketplace
from merchants.matching.descriptor.place import Place, city_key
from merchants.matching.descriptor.postcodes import is_postcode
from merchants.matching.descriptor.processors import ONLINE, split_intermediary
from merchants.matching.text.normalize import words_of
from merchants.matching.text.word_lists import LEGAL_FORMS, NON_MERCHANT_WORDS, is_everyday

LONGEST = 500
# Wider gaps say no more than this one, which is as wide as the widest name's column.
_WIDEST_GAP = " " * 25
_WIDE_GAP = re.compile(f"{_WIDEST_GAP}\\s+")
_LONGEST_PRINTED = 60  # characters; names are shorter
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "\xa0": " "})
# Card numbers that were masked, by Pave or before: nothing in them is the merchant's. The expiry
# date of the card may stand behind.
_GAP = r"[^0-9A-Za-z*]{0,3}+"
_MASKED_CARD = re.compile(
    rf"""\s?(?<![0-9A-Za-z])(?:
      (?:[0-9]{{6,}}+|[0-9]{{4}}(?!\*{{3}})[^0-9A-Za-z]{{1,3}}+[0-9]{{2}})
      (?:(?:{_GAP}\*){{3,}}+{_GAP}[0-9](?:{_GAP}[0-9]){{3}}[0-9]*+)++
    | [0-9]{{4,6}}+[*Xx]{{5,9}}+[0-9]{{4}}
    )(?![0-9A-Za-z])(?:\s?(?:0[1-9]|1[0-2])/[0-9]{{2}}(?![0-9/]))?""",
    re.VERBOSE,
)
# A name that is nothing but a shop's number.
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
_LEGAL_INSIDE = re.compile(
    r"(.{3,}?)(?:(?<![\s,])|(?<=^.{3}))[\s,]++(LTD|LIMITED|PLC|INC|LLC|GMBH|SARL|S\.?R\.?L|LTDA)"
    r"\.?,?\s++[A-Z]++(?:\s[A-Z]++)?$",
    re.IGNORECASE,
)
_DASH = re.compile(r"(?<!\s)\s++[-–—|]\s*+|[-–—|]\s++")
_BANK_WORDS = FIRM_WORDS | LOOSE_WORDS | DOUBTFUL_WORDS
_TRAILING = " \t-–—*#.,;:/|&+_('\""
_SMALL_NUMBER = re.compile(r"(?<!\s)\s++\d{1,2}$")
_BLANKS = re.compile(r"\s+")
# ... AT THE MALL, where the column cut the rest off
_LOCATED = re.compile(
    r"\s+(?:AT|ON|IN|@)\s+(?:THE\s+)?\w*$|\s+(?:AT|ON|IN|@)\s+THE\b.*$", re.IGNORECASE
)
_CUT_LETTER = re.compile(r"(?<=\w{3})\s++[A-Z]$")
# The characters that fit a name's column on the common rails, the processor's prefix included.
_COLUMN_WIDTHS = frozenset({16, 20, 21, 22, 23, 24, 25})


@dataclass(frozen=True, slots=True)
class Descriptor:
    """The parts of one descriptor; a part that is not there is empty (intermediary: None)."""

    raw: str
    text: str  # the merchant as printed, without everything else
    words: tuple[str, ...]  # folded words of the merchant's part, store numbers still inside
    printed: tuple[str, ...] = ()  # the same with the words of the place still behind
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
    nearby: tuple[str, ...] = ()  # countries that have a town of this name, if several
    legal_form: str = ""
    hint: str = ""  # the start of a web address that a column cut off
    truncated: bool = False  # the name fills its column: it may go on
    starred: str = ""  # what stood behind the star of a merchant: UBER *EATS
    code: str = ""  # a short code before a star that is no known processor's: VZW*
    bank_country: str = ""  # where banks print such lines; only a hint
    is_cash: bool = False  # cash or the bank's own booking: there is no merchant
    is_movement: bool = False  # between accounts or people: a merchant only if one is known
    names_customer: bool = False  # the customer's own name stands behind the merchant's

    @property
    def signs_of_a_shop(self) -> int:
        """How many things the rail printed that only merchants have: a number, a place, ..."""
        return (
            bool(self.store_number)
            + bool(self.city or self.region)
            + bool(self.phone or self.domain or self.street)
            + bool(self.legal_form or self.starred or self.reference)
        )


@lru_cache(maxsize=4096)  # a transaction is read when it is admitted, keyed and matched
def parse(raw: str, country: str = "", city: str = "", *, placeless: bool = False) -> Descriptor:
    """The parts of a raw descriptor; `country` (alpha-2) and `city` are what the client knows.

    With `placeless` no place is looked for: what looks like a town is a person's surname.
    Never raises for any text: what cannot be understood stays in `text`.
    """
    tidy = tidied(raw)
    peeled = peel(tidy)
    split = split_intermediary(peeled.body)
    body = _GLUED_NUMBER.sub(" ", split.body)
    street = ""
    if placeless:
        place = Place(strip_contact(Place(body)).name)
    else:
        body, street, behind = _cut_street(body)
        online = split.intermediary in ONLINE or begins_with_marketplace(body)
        known = Known(country, peeled.country, online)
        place = split_place(body, split.offset, known)
        for column in filter(None, (behind, peeled.place)):
            place = _joined(place, read_place(column))
        place = strip_given_city(with_market(place, body), city)
    name, starred, reference = _cut_star(place.name)
    name, incorporated = _cut_behind_legal(name)
    domain = place.domain
    if domain and _is_all_banks(name):
        name = domain.upper()  # CONTACTLESS NETFLIX.COM
    own = DOMAIN.match(name, 0, _LONGEST_PRINTED)
    if own and own.end() >= 5:
        domain = own[1].lower()
        label = re.sub(r"(?:\.COM?)?\.[A-Z]+$", "", own[1], flags=re.IGNORECASE).rpartition(".")[2]
        name = label + re.sub(r"^/\S*", "", name[own.end() :])
    words = tuple(words_of(name))
    text, store = _cut_store(name)
    text, truncated = _cut_location_words(text, split.offset)
    text, legal = _cut_legal(text)
    text = _repeated_in_hint(text, place.hint, domain)
    if peeled.names_customer and text.count(" ") >= 2:
        text = " ".join(text.split()[:-2])
    if split.is_plain and place.region and _is_place(split.body):
        text, words = "", ()  # KLARNA COLUMBUS OH
    if split.code and is_noise(text):
        text, words = split.code, (split.code.lower(),)  # TXU*BILL PAYMENT
    return Descriptor(
        raw=raw,
        text=_BLANKS.sub(" ", text).strip(_TRAILING)
        or (_BLANKS.sub(" ", name).strip() if words else ""),
        words=words,
        printed=tuple(words_of(body[:_LONGEST_PRINTED])),
        intermediary=split.intermediary,
        domain=domain,
        is_address=bool(own and own.end() >= 5),
        phone=place.phone,
        store_number=store or place.number,
        reference=reference,
        street=street,
        postal_code=_postal_code(place),
        city=place.city,
        region=place.region,
        country=place.country,
        nearby=place.nearby,
        legal_form=legal or incorporated,
        hint=place.hint.lower(),
        truncated=truncated,
        starred=starred,
        code=split.code,
        bank_country=peeled.country,
        is_cash=peeled.is_cash,
        is_movement=peeled.is_movement,
        names_customer=peeled.names_customer,
    )


def _postal_code(place: Place) -> str:
    """The postcode, if what was printed as one has its country's shape."""
    for code in (place.postal_code, place.number):
        if code and is_postcode(code, place.country, place.region):
            return code
    return ""


def _is_all_banks(name: str) -> bool:
    """Whether a name is nothing but words that the bank prints in front of one."""
    return all(word in NON_MERCHANT_WORDS or word.upper() in _BANK_WORDS for word in words_of(name))


def _is_place(text: str) -> bool:
    """Whether a text is a town with its state or country and nothing more."""
    place = split_place(f"X  {text}")
    return place.name == "X" and bool(place.city and place.region)


@lru_cache(maxsize=1024)  # what is read of a text begins with this, and so does its kind
def tidied(raw: str) -> str:
    """Compatible forms composed, control characters made blanks, masked card numbers taken out.

    Gaps of up to 25 blanks stay.
    """
    text = raw[:LONGEST]
    if not text.isascii():
        # Some characters are compatible with a dozen others.
        text = unicodedata.normalize("NFKC", text)[:LONGEST].translate(_QUOTES)
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
    return _WIDE_GAP.sub(_WIDEST_GAP, text.replace("_", " ").strip())


def is_noise(text: str) -> bool:
    """Whether a text names no merchant: movements of the bank, numbers, single letters."""
    tokens = text.split()
    if "&" in tokens:
        return False  # initials: B & Q
    return all(_is_noise_token(token) for token in tokens)


@lru_cache(maxsize=4096)  # a text of 250 single letters and digits has few different ones
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


def _joined(place: Place, column: Place) -> Place:
    """The name's own findings, completed by the place column's."""
    return Place(
        name=place.name,
        city=column.city or place.city,
        region=column.region or place.region,
        country=column.country or place.country,
        phone=column.phone or place.phone,
        domain=column.domain or place.domain,
        nearby=place.nearby,
        number=column.number or place.number,
        postal_code=column.postal_code or place.postal_code,
        hint=column.hint or place.hint,
    )


def _cut_street(body: str) -> tuple[str, str, str]:
    """The text up to a street, the street, and what stands behind it: the town."""
    found = _STREET.search(body)
    if not found or found.start() < 3 or not any(map(str.isalpha, body[: found.start()])):
        return body, "", ""
    behind = body[found.end() :]
    while suite := _SUITE.match(behind):
        behind = behind[suite.end() :]
    if found["suffix"] and _is_a_town(
        found["name"].strip(), found["suffix"].upper(), behind.split()
    ):
        return body, "", ""
    return body[: found.start()], found[0].strip(), behind.replace("*", " ").strip(" ,")


def _is_a_town(name: str, suffix: str, behind: list[str]) -> bool:
    """Whether what looks like a street is a town: `EAST ST LOUIS`, `HARTFORD CT`."""
    places = gazetteer()
    if suffix == "ST" and behind:
        return bool(places.regions(city_key(f"{name} SAINT {behind[0]}".upper())))
    region = _ALSO_REGIONS.get(suffix)
    only_numbers = all(word.upper() in ("US", "USA") or not word.isalpha() for word in behind)
    return bool(region) and only_numbers and places.lies_in(city_key(name), region or "")


def _cut_star(name: str) -> tuple[str, str, str]:
    """The name, the words behind its star, and the reference behind its star."""
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


def _cut_store(name: str) -> tuple[str, str]:
    """The name up to its store number or reference, and that number."""
    first_letter = next((at for at, char in enumerate(name) if char.isalpha()), len(name))
    for found in _STORE.finditer(name):
        if found.start() <= first_letter:
            continue
        head = name[: found.start()].strip(_TRAILING)
        if len(head) > 1:
            return head, found[0].strip(" #")
    return name.rstrip(" #"), name if _ONLY_STORE.fullmatch(name) else ""


def _cut_location_words(text: str, offset: int) -> tuple[str, bool]:
    """The name without the branch behind a dash or `AT THE`; and whether the column cut it off."""
    truncated = len(text) + offset in _COLUMN_WIDTHS
    dash = _DASH.search(text)
    head = text[: dash.start()] if dash else ""
    if dash and is_noise(head) and not is_noise(rest := text[dash.end() :]):
        return rest, False  # PAID TO - SPECTRUM
    if dash and _stands_alone(head) and any(char.isalpha() for char in head):
        return text[: dash.start()], False
    if truncated:
        at = _LOCATED.search(text)
        if at and _stands_alone(text[: at.start()]):
            return text[: at.start()], False
        text = _CUT_LETTER.sub("", text)
    shorter = _SMALL_NUMBER.sub("", text)
    if _stands_alone(shorter):
        text = shorter
    return text, truncated


def _stands_alone(text: str) -> bool:
    """Whether a name is left that is not merely a kind of shop."""
    words = words_of(text)
    return len(words) > 1 or (bool(words) and len(words[0]) > 1 and not is_everyday(words[0]))


def _cut_behind_legal(name: str) -> tuple[str, str]:
    """`ARGOS LTD HARROW`: what stands behind a legal form is the branch."""
    found = _LEGAL_INSIDE.match(name)
    return (found[1], found[2]) if found else (name, "")


def _cut_legal(text: str) -> tuple[str, str]:
    """The name without its legal form (`SMOKO INC.` gives SMOKO), and the form."""
    form = ""
    while True:
        head, _, last = text.rstrip(_TRAILING).rpartition(" ")
        word = last.strip("(),").replace(".", "").casefold()
        if not head.strip() or word not in LEGAL_FORMS:
            return text, form
        text, form = head.rstrip(_TRAILING), last


def _repeated_in_hint(text: str, hint: str, domain: str) -> str:
    """`KIRO PRO` with kiro.dev behind it is Kiro: the address says where the name ends."""
    parts = domain.split(".")
    # Schools, offices and clubs are known by more than their address says (smith.edu).
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
    if hint and len(words) > 1 and len(words[-1]) == 1 and not text.endswith("."):
        return " ".join(words[:-1])
    return text
