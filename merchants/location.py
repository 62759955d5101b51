"""Takes the place off a descriptor's end: phone, address, postcode, city, state, country."""

import re
from dataclasses import dataclass, replace

from merchants.folding import fold
from merchants.lexicon import KINDS, is_common
from merchants.places import COUNTRIES, US_STATES, Gazetteer, gazetteer, region_of
from merchants.wordlist import listed

_PHONE = re.compile(
    r"""(?:^|(?<=[\s*:])|(?<=[A-Z#]))(?:
      \+\d[\d\s().-]{7,16}\d | \(\d{3}\)\s?\d{3}-?\d{4} | (?:1[-. ]?)?[2-9X]\d\d[-.]\d{3}[-.]?\d{4}
    | [2-9]\d{2}[-.]\d{7} | 0\d{2,4}[- ]\d{6,8} | [0X]\d{9,10} | [2-9]\d{9}
    | [0-9X]{3}-[0-9X]{2}\d{3,8} | X{3,}[-X]*\d{4,8} | 00\d{9,13} | 1[38]00[- ]?\d{3}[- ]?\d{3} | \d{3}-\d{3}-\d{3,4}
    )$""",
    re.VERBOSE | re.IGNORECASE,
)
_PHONE_CHARACTERS = frozenset("Xx0123456789-. ")
_TLDS = (
    "COM|NET|ORG|EDU|GOV|INFO|BIZ|IO|CO|APP|DEV|AI|TV|ME|SHOP|STORE|ONLINE|CLUB|LIVE|EU|US|UK|DE|FR"
    "|NL|ES|IT|AT|CH|BE|SE|NO|DK|FI|PL|PT|IE|CZ|CA|AU|NZ|JP|BR|MX|IN|RU|GR|HU|RO|SG|HK|TR|ZA|CC|FM"
    "|GG|LY|TO|SO|GL|BANK|TRAVEL|CLOUD|XYZ|SITE|TECH|LU|LV|LT|EE|SI|SK|HR|BG|CO\\.UK|COM\\.AU"
)
_URL = re.compile(
    rf"(?:HTTPS?:?/{{0,2}}\S+|WWW\.\S+|(?:[A-Z0-9-]+\.)+(?:{_TLDS})\.?(?:/\S*)?)$", re.IGNORECASE
)
DOMAIN = re.compile(
    rf"(?:HTTPS?:?/*)?(?:WWW\.)?((?:[A-Z0-9-]+\.)+(?:{_TLDS}))\b(?!\.\w)", re.IGNORECASE
)
_HTTPS_CUT = re.compile(r"HTTPS?(?::?/+)?([A-Z0-9-]{4,})$", re.IGNORECASE)
_POSTCODE = re.compile(
    r"(?:^|\s)(?:\d{5}(?:-\d{4})?|[A-Z]\d[A-Z]\s?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}"
    r"|\d{4}\s?[A-Z]{2}|\d{2}-\d{3}|\d{5}-?\d{3})$",
    re.IGNORECASE,
)
_GLUED_STATE = re.compile(r"^(.*\S)([A-Z]{2})$", re.DOTALL)
# Columns (0-based) at which fixed layouts print the city behind the name without a space.
_COLUMNS = frozenset({16, 20, 21, 22, 23, 24, 25})
# The width of a name before the city, where the rail fills its columns.
_FULL_COLUMN = 25
_LONGEST_CITY = 4  # words
_NO_LETTERS = re.compile(r"[^A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Place:
    """What stood behind the name, and the name that is left."""

    name: str
    city: str = ""
    region: str = ""
    country: str = ""
    phone: str = ""
    domain: str = ""
    hint: str = ""  # letters of a web address that the city's column cut off: PLAYITAGAINSP

    @property
    def known(self) -> bool:
        """Whether anything of a place, phone or address was found."""
        return bool(self.city or self.region or self.country or self.phone or self.domain)


def split_place(text: str, offset: int = 0, country: str = "", likely: str = "") -> Place:
    """Take what stands behind the merchant's name off the end of `text`.

    `offset` is how many characters stood before `text` in its column, `country` the transaction's
    country if the client gave it (alpha-2): it decides which places are meant; `likely` the
    country that the bank's own words point to.
    """
    place = _strip_contact(Place(name=text.rstrip(" ,")))
    upper = _upper(place.name)
    tokens = upper.split()
    if len(tokens) > 1:
        place = _strip_region(place, tokens, offset)
    if not place.region and not place.country and len(tokens) > 0:
        place = _glued_state(place, offset)
    if place.region or place.country:
        place = _strip_contact(place, postcodes=True)
        if not place.city:
            place = _strip_city(place, place.region or place.country, offset)
    elif not place.city:
        place = _strip_lone_city(place, country, likely)
    return _strip_contact(place)


def read_place(text: str) -> Place:
    """Read a column that holds nothing but a place, phone or address."""
    place = split_place(f"X  {text}")
    return replace(place, name="")


def _upper(text: str) -> str:
    return text.upper() if text.isascii() else fold(text).upper()


def _strip_contact(place: Place, postcodes: bool = False) -> Place:
    """Take phone numbers and addresses, and postcodes if asked, off the end, in any order."""
    name, phone, domain, hint = place.name, place.phone, place.domain, place.hint
    while True:
        before = name
        if set(name[-4:-1]) <= _PHONE_CHARACTERS and (found := _PHONE.search(name)):
            phone, name = phone or found[0].strip(), name[: found.start()].rstrip(" ,*")
        elif (found := _URL.search(name)) and (found.start() > 0 and name[: found.start()].strip()):
            if not name[found.start() - 1].isspace() and name[found.start() - 1] not in "*,;":
                break
            address = found[0]
            whole = DOMAIN.match(address)
            cut = _HTTPS_CUT.match(address)
            domain = domain or (whole[1].lower() if whole else "")
            hint = hint or (cut[1] if cut and not whole else "")
            name = name[: found.start()].rstrip(" ,*")
        elif postcodes and (found := _POSTCODE.search(name)) and found.start() > 3:
            name = name[: found.start()].rstrip(" ,")
        if name == before or not name:
            break
    return replace(place, name=name or place.name, phone=phone, domain=domain, hint=hint)


def _strip_region(place: Place, tokens: list[str], offset: int) -> Place:
    """Take a country and a state, each a word of its own, off the end."""
    name, last = place.name, tokens[-1].strip(".,()/")
    slash = re.search(r"[/,]\s?([A-Z]{2})$", name.upper())
    if slash and slash[1] in COUNTRIES:
        return replace(place, name=name[: slash.start()].rstrip(" ,/"), country=slash[1])
    country = COUNTRIES.get(last, "")
    region = region_of(last) if len(last) <= 3 else ""
    shorter = name[: name.rstrip().rfind(name.split()[-1])].rstrip(" ,")
    if not shorter:
        return place
    if region and (
        not country
        or not _ends_in_city(shorter, country)
        or (len(last) == 2 and last in US_STATES and _ends_in_city(shorter, region))
    ):
        return replace(place, name=shorter, region=region, country=region[:2])
    if not country or (
        len(last) == 2
        and not _ends_in_city(shorter, country)
        and last not in {"US", "GB", "UK", "AU", "NZ"}
    ):
        return place
    found = replace(place, name=shorter, country=country)
    rest = shorter.split()
    if len(rest) > 1 and country in {"US", "CA", "AU"}:
        state = region_of(rest[-1].upper())
        if state.startswith(country):
            return replace(found, name=shorter[: -len(rest[-1])].rstrip(" ,"), region=state)
        if (zipped := _POSTCODE.search(shorter)) and zipped.start() > 3:
            return replace(found, name=shorter[: zipped.start()].rstrip())
    return found


def _ends_in_city(name: str, region: str) -> bool:
    words = _upper(name).replace(".", " ").replace("'", "").split()
    return any(
        gazetteer().lies_in(" ".join(words[-count:]), region)
        for count in range(1, min(len(words), _LONGEST_CITY) + 1)
    )


def _glued_state(place: Place, offset: int) -> Place:
    """`SAN FRANCISCOCA`, `SOUTH LAKE TACA`, `855-973-1040CA`: a state without a space before it."""
    found = _GLUED_STATE.match(place.name)
    if not found or not (region := region_of(found[2].upper())) or found[1][-1:].isspace():
        return place
    rest = replace(place, name=found[1], region=region, country=region[:2])
    contact = _strip_contact(rest)
    if contact.phone != place.phone or contact.domain != place.domain or contact.hint != place.hint:
        return contact
    city = _strip_city(rest, region, offset, certain=True)
    if city.city:
        return city
    last = found[1].split()[-1].upper()
    head = re.sub(r"\W+", "", _upper(found[1][: -len(last)]))
    if len(last) >= 8 and len(head) >= 5 and (head.startswith(last) or last.startswith(head)):
        return replace(rest, name=found[1][: -len(last)].rstrip(), hint=last)
    return place


def _strip_city(place: Place, region: str, offset: int, certain: bool = False) -> Place:
    """Take the city off the end, knowing its state or country.

    It may be cut off by its column (13 characters) or stand without a space behind a cut name.
    With `certain`, only what the gazetteer knows counts; else wide gaps between columns do too.
    """
    places = gazetteer()
    name = place.name
    starts = [found.start() for found in re.finditer(r"\S+", name)]
    best = 0
    for start in starts[1:][-_LONGEST_CITY:]:
        city = _city_key(name[start:])
        if (
            places.lies_in(city, region)
            or (9 <= len(city) <= 13 and " " in city and places.begins_in(city, region))
            or (len(city) >= 10 and places.begins_in(city, region))
        ):
            best = start
            break
    glued = _glued_city(name, starts, region, offset, places)
    if glued and (not best or glued < best):
        best = glued
    if not best and not certain:
        best = 0 if place.phone or place.domain else _wide_gap(name, offset)
        if not best:
            return _hinted(place)
    if not best:
        return place
    return replace(place, name=name[:best].rstrip(" ,-"), city=name[best:].strip(" ,"))


def _wide_gap(name: str, offset: int) -> int:
    """Where an unknown city's column begins: behind a run of blanks or a name of 25 characters."""
    gap = name.rfind("  ")
    if gap > 0 and not any(char.isdigit() for char in name[gap:]):
        return gap
    full = _FULL_COLUMN - offset
    if len(name) > full and name[full] == " " and len(name) - full <= 14:
        return full
    return 0


def _glued_city(name: str, starts: list[int], region: str, offset: int, places: Gazetteer) -> int:
    """Where a city begins inside a word (`CATAUSTIN`), 0 if none does."""
    wide = False
    for start in starts[-3:]:
        end = name.find(" ", start)
        word_end = len(name) if end < 0 else end
        for at in range(start + 1, word_end - 1):
            before, here = name[at - 1], name[at]
            if not here.isalpha():
                continue
            shift = (
                before.isalpha()
                and before.isupper()
                and here.isupper()
                and (at + 1 < len(name) and name[at + 1].islower())
            )
            edge = before.isdigit() or before in ".#-*&" or shift
            if not (edge or wide or (at + offset) in _COLUMNS):
                continue
            city = _city_key(name[at:])
            if len(city) >= 4 and (
                places.lies_in(city, region) or (len(city) >= 10 and places.begins_in(city, region))
            ):
                return at
            if before == "#" and at + offset in _COLUMNS:
                return at
    return 0


def _hinted(place: Place) -> Place:
    """`IDAHO SLEIGH RIDES IDAHOSLEIGHRI`: an address in the city's column repeats the name."""
    words = place.name.split()
    if len(words) < 2 or len(words[-1]) < 7:
        return place
    last = re.sub(r"\W+", "", _upper(words[-1]))
    head = re.sub(r"\W+", "", _upper("".join(words[:-1])))
    if len(last) >= 7 and (head.startswith(last) or (last.startswith(head) and len(head) >= 5)):
        return replace(place, name=place.name[: place.name.rfind(words[-1])].rstrip(), hint=last)
    return place


# Short forms in front of a place's name.
_SHORT_FORMS = {
    "S": "SOUTH", "N": "NORTH", "E": "EAST", "W": "WEST", "SO": "SOUTH", "NO": "NORTH",
    "ST": "SAINT", "STE": "SAINTE", "FT": "FORT", "MT": "MOUNT", "PT": "PORT", "LK": "LAKE",
}  # fmt: skip


def _city_key(text: str) -> str:
    """As the gazetteer writes it: `St. Louis` gives ST LOUIS if known so, else SAINT LOUIS."""
    key = _NO_LETTERS.sub(" ", _upper(text).replace("'", "")).strip()
    first, blank, rest = key.partition(" ")
    if blank and first in _SHORT_FORMS and not gazetteer().regions(key):
        return f"{_SHORT_FORMS[first]} {rest}"
    return key


_NO_CITY_BEGINS = listed("& AND OF AT IN -")
_NOT_BEFORE_A_CITY = listed("OF DE DU DI DA AT THE LE LA EL & AND IN VON VAN DEL CITY")


def _strip_lone_city(place: Place, country: str, likely: str) -> Place:
    """Take a known city off the end although no state or country follows it.

    Only where the rest can be a name of its own, and only a place whose name is no everyday word.
    """
    places = gazetteer()
    words = place.name.split()
    if (
        len(words) > 2
        and re.fullmatch(r"\d{1,2}", words[-1])
        and places.regions(_city_key(words[-2]))
    ):
        words.pop()  # a district of a large city: PARIS 6
    for count in range(min(len(words) - 1, _LONGEST_CITY), 0, -1):
        city = _city_key(" ".join(words[-count:]))
        regions = places.regions(city)
        opening = words[-count].upper()
        if not regions or len(city) < 4 or (count > 1 and opening in _NO_CITY_BEGINS):
            continue
        at_home = likely and likely in regions and len(words) > 2
        if count == 1 and is_common(city.lower()) and not at_home:
            continue
        if country and not any(found[:2] == country for found in regions):
            continue
        rest = words[:-count]
        only_a_kind = len(rest) == 1 and fold(rest[0]) in KINDS
        if only_a_kind or rest[-1].upper() in _NOT_BEFORE_A_CITY:
            continue
        at = place.name.rstrip().rfind(" ".join(words[-count:]))
        if at <= 0:
            continue
        found = {region[:2] for region in regions}
        return replace(
            place,
            name=place.name[:at].rstrip(" ,"),
            city=" ".join(words[-count:]),
            country=country or (found.pop() if len(found) == 1 else ""),
        )
    return place
