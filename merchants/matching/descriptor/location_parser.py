"""Splits the location off a descriptor's end: phone, address, postcode, city, state, country."""

import re
from typing import NamedTuple

from merchants.matching.descriptor.cities import MAX_CITY_WORDS, strip_city, strip_lone_city
from merchants.matching.descriptor.contact import DOMAIN, POSTCODE, strip_contact
from merchants.matching.descriptor.gazetteer import (
    COUNTRIES,
    US_STATES,
    load_gazetteer,
    region_of,
)
from merchants.matching.descriptor.location import Location, city_key, upper
from merchants.matching.descriptor.postcodes import is_postcode, state_of_zip

# Not ten digits: those are a phone number.
_SLASH = re.compile(r"[/,]\s?([A-Z]{2})$")
_TRAILING_NUMBER = re.compile(r"\s#?(\d{5}-\d{4}|\d{4,8})$")
_MAX_NUMBERS = 4  # in a row
_POSTCODE_BEFORE = re.compile(
    r"(?<=[^\s\d])\s++(\d{5,7}|\d{2,5}-\d{3,4}|\d{4}\s[A-Z]{2}|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}"
    r"|[A-Z]\d[A-Z]\s?\d[A-Z]\d)$",
    re.IGNORECASE,
)
_MAX_POSTCODE_LENGTH = 12  # characters, with the blank before
_STORE_LABEL = re.compile(
    r"\s(?:STORE|SHOP|UNIT|LOC|FIL(?:IALE)?|STR|ST|NO|NR|N°|№)[.:]?$", re.IGNORECASE
)
# Amazon prints the country of its marketplace.
_MARKET = re.compile(
    r"(?:AMZN|AMAZON)\s?(?:MKTP(?:LACE|LC?)?|MARKETPLACE|DIGITAL)\s([A-Z]{2})(?![A-Z0-9])",
    re.IGNORECASE,
)
# Australian states cut to a column of two letters.
_CUT_STATES = {"NS": "NSW", "VI": "VIC", "QL": "QLD", "TA": "TAS", "AC": "ACT"}
# Codes of a state and a country that mean the country for an online shop without other hints.
_USUALLY_COUNTRIES = frozenset({"DE", "NL", "PE", "SK"})
_GLUED_STATE = re.compile(r"^(.*\S)([A-Z]{2})$", re.DOTALL)


class LocationHints(NamedTuple):
    """What is known about a transaction's location besides the text after the name."""

    country: str = ""  # as the client gave it (alpha-2): it decides between cities of one name
    likely_country: str = ""  # the country that the bank wording suggests
    online: bool = False  # a marketplace or a processor of online shops is printed


_NO_HINTS = LocationHints()


def split_location(
    text: str, offset: int = 0, hints: LocationHints = _NO_HINTS, max_numbers: int = _MAX_NUMBERS
) -> Location:
    """Split what follows the merchant's name off the end of `text`.

    `offset` is how many characters stood before `text` in its column. At most `max_numbers`
    numbers may follow the location.
    """
    trailing = _TRAILING_NUMBER.search(text) if max_numbers else None
    if trailing:
        rest = text[: trailing.start()]
        zip_state = state_of_zip(trailing[1])
        # NETFLIX.COM DE 19801
        is_zip_of_state = (
            zip_state and not hints.country and upper(rest).endswith(f" {zip_state[3:]}")
        )
        inner = split_location(
            rest,
            offset,
            hints._replace(country="US") if is_zip_of_state else hints,
            max_numbers - 1,
        )
        if inner.city and not inner.region:
            inner = _with_state_of_zip(inner, trailing[1])
        if inner.region or inner.city:
            return inner._replace(number=trailing[1])
    location = strip_contact(Location(name=text.rstrip(" ,")))
    if max_numbers and location.phone and _TRAILING_NUMBER.search(location.name):
        # SEATTLE WA 98101 206-555-0199
        inner = split_location(location.name, offset, hints, max_numbers - 1)
        if inner.region or inner.city:
            return inner._replace(
                phone=location.phone, domain=location.domain, cut_domain=location.cut_domain
            )
    tokens = upper(location.name).split()
    if len(tokens) > 1:
        location = _strip_region(location, tokens, hints)
    if (
        not location.region
        and not location.country
        and upper(location.name).split() == tokens != []
    ):
        location = _strip_glued_state(location, offset)
    if location.region or location.country:
        location = strip_contact(location, postcodes=True)
        location = _strip_district(location, location.region or location.country)
        if not location.city:
            location = strip_city(location, location.region or location.country, offset)
            location = _postcode_before_city(location)
    elif not location.city:
        location = _postcode_before_city(
            strip_lone_city(location, hints.country, hints.likely_country)
        )
    return strip_contact(location)


def _with_state_of_zip(location: Location, code: str) -> Location:
    """Add the state of a ZIP code, unless a country with such codes has a city of that name too."""
    state = state_of_zip(code)
    regions = load_gazetteer().regions(city_key(location.city))
    elsewhere = any(is_postcode(code, region[:2]) for region in regions if region[:2] != "US")
    if state not in regions or elsewhere or location.country not in ("", "US"):
        return location
    return location._replace(region=state, country="US")


def _postcode_before_city(location: Location) -> Location:
    """`LIDL 28001 MADRID ES`: a number before a city outside the United States is its postcode.

    One of four digits may as well be a store number.
    """
    if location.postal_code or location.country in ("", "US") or not location.city:
        return location
    if not load_gazetteer().lies_in(city_key(location.city), location.region or location.country):
        return location
    match = _POSTCODE_BEFORE.search(
        location.name, max(len(location.name) - _MAX_POSTCODE_LENGTH, 0)
    )
    code = match[1] if match else ""
    if not is_postcode(code, location.country) or (code.isdigit() and len(code) < 5):
        return location
    name = location.name[: -len(code)].rstrip(" ,")
    if _STORE_LABEL.search(name):
        return location
    return location._replace(name=name, postal_code=code)


_DISTRICT = re.compile(
    r"(.*\s(\S+))\s+(?:CEN|CENT|CENTR|CENTRA|CENTRAL|CENTRE|CENTER|CTR|CBD|CITY|NORTH|SOUTH|EAST|WEST)"
    r"$",
    re.IGNORECASE | re.DOTALL,
)


def _strip_district(location: Location, region: str) -> Location:
    """`AUCKLAND CEN`: strip a district after its city, unless both together are a city."""
    match = _DISTRICT.match(location.name)
    if not match or _ends_in_city(location.name, region):
        return location
    if not load_gazetteer().lies_in(upper(match[2]), region):
        return location
    return location._replace(name=match[1])


def with_marketplace_country(location: Location, text: str) -> Location:
    """Add the country of a marketplace's code: `AMZN MKTP DE`, `AMZN MKTP UK*2K3`.

    A location after the name, such as the company's seat, takes precedence.
    """
    match = _MARKET.match(text)
    code = match[1].upper() if match else ""
    country = "CA" if code == "CA" else COUNTRIES.get(code, "")
    if not country or location.city or location.postal_code or location.number:
        return location
    if location.region not in ("", region_of(code)) or (location.country and not location.region):
        return location
    return location._replace(region="", country=country)


def parse_location_column(text: str) -> Location:
    """The location in a column that holds nothing but a location, phone or address."""
    location = split_location(f"X  {text}")
    return location._replace(name="")


def _strip_region(location: Location, tokens: list[str], hints: LocationHints) -> Location:
    """Strip a country and a state, each a word of its own, off the end."""
    name, last = location.name, tokens[-1].strip(".,()/")
    capitals = name.upper()
    slash = _SLASH.search(capitals, max(len(capitals) - 5, 0))
    if slash and (state := _state_of_city(name[: slash.start()], slash[1])):
        return location._replace(
            name=name[: slash.start()].rstrip(" ,/"), region=state, country="US"
        )
    if slash and slash[1] in COUNTRIES:
        return location._replace(name=name[: slash.start()].rstrip(" ,/"), country=slash[1])
    country = COUNTRIES.get(last, "")
    region = region_of(last) if len(last) <= 3 else ""
    shorter = name[: name.rstrip().rfind(name.split()[-1])].rstrip(" ,")
    if not shorter:
        return location
    if (ambiguous_country := _country_of_ambiguous_code(shorter, last, hints)) is not None:
        return location._replace(name=shorter, country=ambiguous_country)
    if region and (
        not country
        or not _ends_in_city(shorter, country)
        or (len(last) == 2 and last in US_STATES and _ends_in_city(shorter, region))
    ):
        return location._replace(name=shorter, region=region, country=region[:2])
    if not country or (
        len(last) == 2
        and not _ends_in_city(shorter, country)
        and last not in {"US", "GB", "UK", "AU", "NZ"}
        and not _is_address(shorter)
    ):
        return location
    with_country = location._replace(name=shorter, country=country)
    rest = shorter.split()
    if len(rest) > 1 and country in {"US", "CA", "AU"}:
        state = region_of(rest[-1].upper())
        if country == "AU":
            state = region_of(_CUT_STATES.get(rest[-1].upper(), rest[-1].upper()))
        if state.startswith(country):
            return with_country._replace(name=shorter[: -len(rest[-1])].rstrip(" ,"), region=state)
        if (postcode := POSTCODE.search(shorter)) and postcode.start() > 3:
            with_country = with_country._replace(postal_code=postcode[0].strip())
            shorter = shorter[: postcode.start()].rstrip(" ,")
            before, _, last = shorter.rpartition(" ")
            state = region_of(last.upper())
            if before and state.startswith(country):
                return with_country._replace(name=before.rstrip(" ,"), region=state)
            return with_country._replace(name=shorter)
    return with_country


def _country_of_ambiguous_code(before: str, code: str, hints: LocationHints) -> str | None:
    """The country that a code means which is also a state's; "" if that is uncertain.

    None if nothing contradicts the state. `NETFLIX.COM DE` is Germany, and `NETFLIX.COM CA` may be
    Canada or California; a city, a phone number or an address in the city's column indicates a
    bank of the United States: `GRUBHUB GRUBHUB.COM IL`.
    """
    region, country = region_of(code), "CA" if code == "CA" else COUNTRIES.get(code, "")
    if not region or not country or _ends_in_city(before, region):
        return None
    if country in (hints.country, hints.likely_country):
        return country
    if hints.country == region[:2]:
        return None
    contact = strip_contact(Location(before))
    is_address = _is_address(before)
    if contact.phone or contact.domain or not (is_address or hints.online):
        return None
    if "  " in before:
        return None  # the city's column may hold one that the gazetteer lacks
    domain = DOMAIN.match(before)
    is_national = domain is not None and domain[1].upper().endswith(f".{code}")
    return country if is_national or code in _USUALLY_COUNTRIES else ""


def _is_address(name: str) -> bool:
    """Whether a name is only a web address, at most with a reference: AMAZON.COM*2K3."""
    match = DOMAIN.match(name)
    return match is not None and not any(
        word.isalpha() and len(word) > 2 for word in name[match.end() :].split()
    )


def _state_of_city(before: str, code: str) -> str:
    """The state of a code that is also a country's, by the city before it: SPRINGFIELD, IL."""
    state = region_of(code)
    if not state.startswith("US-") or not _ends_in_city(before, state):
        return ""
    country = COUNTRIES.get(code, "")
    return "" if country and _ends_in_city(before, country) else state


def _ends_in_city(name: str, region: str) -> bool:
    words = upper(name).replace(".", " ").replace("'", "").split()
    return any(
        load_gazetteer().lies_in(" ".join(words[-count:]), region)
        for count in range(1, min(len(words), MAX_CITY_WORDS) + 1)
    )


def _strip_glued_state(location: Location, offset: int) -> Location:
    """`SAN FRANCISCOCA`, `SOUTH LAKE TACA`, `855-973-1040CA`: a state without a space before it."""
    match = _GLUED_STATE.match(location.name)
    if not match or not (region := region_of(match[2].upper())) or match[1][-1:].isspace():
        return location
    rest = location._replace(name=match[1], region=region, country=region[:2])
    contact = strip_contact(rest)
    if (
        contact.phone != location.phone
        or contact.domain != location.domain
        or contact.cut_domain != location.cut_domain
    ):
        return contact
    city = strip_city(rest, region, offset, gazetteer_only=True)
    if city.city:
        return city
    last = match[1].split()[-1].upper()
    head = re.sub(r"\W+", "", upper(match[1][: -len(last)]))
    if len(last) >= 8 and len(head) >= 5 and (head.startswith(last) or last.startswith(head)):
        return rest._replace(name=match[1][: -len(last)].rstrip(), cut_domain=last)
    return location
