"""Takes the place off a descriptor's end: phone, address, postcode, city, state, country."""

import re
from typing import NamedTuple

from merchants.matching.descriptor.cities import LONGEST_CITY, strip_city, strip_lone_city
from merchants.matching.descriptor.contact import DOMAIN, POSTCODE, strip_contact
from merchants.matching.descriptor.gazetteer import COUNTRIES, US_STATES, gazetteer, region_of
from merchants.matching.descriptor.place import Place, city_key, upper
from merchants.matching.descriptor.postcodes import is_postcode, state_of_zip

# Not ten digits: those are a phone number.
_SLASH = re.compile(r"[/,]\s?([A-Z]{2})$")
_NUMBER_BEHIND = re.compile(r"\s#?(\d{5}-\d{4}|\d{4,8})$")
_MOST_NUMBERS = 4  # behind one another
_POSTCODE_BEFORE = re.compile(
    r"(?<=[^\s\d])\s++(\d{5,7}|\d{2,5}-\d{3,4}|\d{4}\s[A-Z]{2}|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}"
    r"|[A-Z]\d[A-Z]\s?\d[A-Z]\d)$",
    re.IGNORECASE,
)
_LONGEST_POSTCODE = 12  # characters, with the blank before
_STORES = re.compile(
    r"\s(?:STORE|SHOP|UNIT|LOC|FIL(?:IALE)?|STR|ST|NO|NR|N°|№)[.:]?$", re.IGNORECASE
)
# Amazon prints which of its marketplaces it was.
_MARKET = re.compile(
    r"(?:AMZN|AMAZON)\s?(?:MKTP(?:LACE|LC?)?|MARKETPLACE|DIGITAL)\s([A-Z]{2})(?![A-Z0-9])",
    re.IGNORECASE,
)
# Australian states as a column of two letters prints them.
_CUT_STATES = {"NS": "NSW", "VI": "VIC", "QL": "QLD", "TA": "TAS", "AC": "ACT"}
# States whose codes are rather the country's where nothing else says where an online shop is.
_RATHER_COUNTRIES = frozenset({"DE", "NL", "PE", "SK"})
_GLUED_STATE = re.compile(r"^(.*\S)([A-Z]{2})$", re.DOTALL)


class Known(NamedTuple):
    """What is known of a transaction's place besides what is printed behind the name."""

    country: str = ""  # as the client gave it (alpha-2): it decides which places are meant
    likely: str = ""  # the country that the bank's own words point to
    online: bool = False  # a marketplace or a processor of online shops stands in front


_NOTHING_KNOWN = Known()


def split_place(
    text: str, offset: int = 0, known: Known = _NOTHING_KNOWN, numbers: int = _MOST_NUMBERS
) -> Place:
    """Take what stands behind the merchant's name off the end of `text`.

    `offset` is how many characters stood before `text` in its column. At most `numbers` may stand
    behind the place.
    """
    numbered = _NUMBER_BEHIND.search(text) if numbers else None
    if numbered:
        rest = text[: numbered.start()]
        zipped = state_of_zip(numbered[1])
        # NETFLIX.COM DE 19801
        at_home = zipped and not known.country and upper(rest).endswith(f" {zipped[3:]}")
        before = split_place(
            rest, offset, known._replace(country="US") if at_home else known, numbers - 1
        )
        if before.city and not before.region:
            before = _by_zip(before, numbered[1])
        if before.region or before.city:
            return before._replace(number=numbered[1])
    place = strip_contact(Place(name=text.rstrip(" ,")))
    if numbers and place.phone and _NUMBER_BEHIND.search(place.name):
        # SEATTLE WA 98101 206-555-0199
        before = split_place(place.name, offset, known, numbers - 1)
        if before.region or before.city:
            return before._replace(phone=place.phone, domain=place.domain, hint=place.hint)
    tokens = upper(place.name).split()
    if len(tokens) > 1:
        place = _strip_region(place, tokens, known)
    if not place.region and not place.country and upper(place.name).split() == tokens != []:
        place = _glued_state(place, offset)
    if place.region or place.country:
        place = strip_contact(place, postcodes=True)
        place = _without_quarter(place, place.region or place.country)
        if not place.city:
            place = strip_city(place, place.region or place.country, offset)
            place = _postcode_before_city(place)
    elif not place.city:
        place = _postcode_before_city(strip_lone_city(place, known.country, known.likely))
    return strip_contact(place)


def _by_zip(place: Place, code: str) -> Place:
    """A town whose state its ZIP code tells, if no country with such codes has one of that name."""
    state = state_of_zip(code)
    regions = gazetteer().regions(city_key(place.city))
    elsewhere = any(is_postcode(code, region[:2]) for region in regions if region[:2] != "US")
    if state not in regions or elsewhere or place.country not in ("", "US"):
        return place
    return place._replace(region=state, country="US")


def _postcode_before_city(place: Place) -> Place:
    """`LIDL 28001 MADRID ES`: a number before a town outside the United States is its postcode.

    One of four digits may as well be a store's.
    """
    if place.postal_code or place.country in ("", "US") or not place.city:
        return place
    if not gazetteer().lies_in(city_key(place.city), place.region or place.country):
        return place
    found = _POSTCODE_BEFORE.search(place.name, max(len(place.name) - _LONGEST_POSTCODE, 0))
    code = found[1] if found else ""
    if not is_postcode(code, place.country) or (code.isdigit() and len(code) < 5):
        return place
    name = place.name[: -len(code)].rstrip(" ,")
    if _STORES.search(name):
        return place
    return place._replace(name=name, postal_code=code)


_QUARTER = re.compile(
    r"(.*\s(\S+))\s+(?:CEN|CENT|CENTR|CENTRA|CENTRAL|CENTRE|CENTER|CTR|CBD|CITY|NORTH|SOUTH|EAST|WEST)"
    r"$",
    re.IGNORECASE | re.DOTALL,
)


def _without_quarter(place: Place, region: str) -> Place:
    """`AUCKLAND CEN`: a quarter behind its town, if both together are no town of their own."""
    found = _QUARTER.match(place.name)
    if not found or _ends_in_city(place.name, region):
        return place
    if not gazetteer().lies_in(upper(found[2]), region):
        return place
    return place._replace(name=found[1])


def with_market(place: Place, text: str) -> Place:
    """A place with the country that a marketplace's code says: `AMZN MKTP DE`, `AMZN MKTP UK*2K3`.

    What is printed behind the name, as the seat of the company, stays.
    """
    found = _MARKET.match(text)
    code = found[1].upper() if found else ""
    country = "CA" if code == "CA" else COUNTRIES.get(code, "")
    if not country or place.city or place.postal_code or place.number:
        return place
    if place.region not in ("", region_of(code)) or (place.country and not place.region):
        return place
    return place._replace(region="", country=country)


def read_place(text: str) -> Place:
    """Read a column that holds nothing but a place, phone or address."""
    place = split_place(f"X  {text}")
    return place._replace(name="")


def _strip_region(place: Place, tokens: list[str], known: Known) -> Place:
    """Take a country and a state, each a word of its own, off the end."""
    name, last = place.name, tokens[-1].strip(".,()/")
    capitals = name.upper()
    slash = _SLASH.search(capitals, max(len(capitals) - 5, 0))
    if slash and (state := _state_rather(name[: slash.start()], slash[1])):
        return place._replace(name=name[: slash.start()].rstrip(" ,/"), region=state, country="US")
    if slash and slash[1] in COUNTRIES:
        return place._replace(name=name[: slash.start()].rstrip(" ,/"), country=slash[1])
    country = COUNTRIES.get(last, "")
    region = region_of(last) if len(last) <= 3 else ""
    shorter = name[: name.rstrip().rfind(name.split()[-1])].rstrip(" ,")
    if not shorter:
        return place
    if (other := _not_the_state(shorter, last, known)) is not None:
        return place._replace(name=shorter, country=other)
    if region and (
        not country
        or not _ends_in_city(shorter, country)
        or (len(last) == 2 and last in US_STATES and _ends_in_city(shorter, region))
    ):
        return place._replace(name=shorter, region=region, country=region[:2])
    if not country or (
        len(last) == 2
        and not _ends_in_city(shorter, country)
        and last not in {"US", "GB", "UK", "AU", "NZ"}
        and not _is_address(shorter)
    ):
        return place
    found = place._replace(name=shorter, country=country)
    rest = shorter.split()
    if len(rest) > 1 and country in {"US", "CA", "AU"}:
        state = region_of(rest[-1].upper())
        if country == "AU":
            state = region_of(_CUT_STATES.get(rest[-1].upper(), rest[-1].upper()))
        if state.startswith(country):
            return found._replace(name=shorter[: -len(rest[-1])].rstrip(" ,"), region=state)
        if (zipped := POSTCODE.search(shorter)) and zipped.start() > 3:
            found = found._replace(postal_code=zipped[0].strip())
            shorter = shorter[: zipped.start()].rstrip(" ,")
            before, _, last = shorter.rpartition(" ")
            state = region_of(last.upper())
            if before and state.startswith(country):
                return found._replace(name=before.rstrip(" ,"), region=state)
            return found._replace(name=shorter)
    return found


def _not_the_state(before: str, code: str, known: Known) -> str | None:
    """The country that a code means which is a state's as well; "" if that is not certain.

    None if nothing speaks against the state. `NETFLIX.COM DE` is Germany, and `NETFLIX.COM CA`
    may be Canada or California; a town, a phone number or an address in the town's column is as
    banks of the United States print it: `GRUBHUB GRUBHUB.COM IL`.
    """
    region, country = region_of(code), "CA" if code == "CA" else COUNTRIES.get(code, "")
    if not region or not country or _ends_in_city(before, region):
        return None
    if country in (known.country, known.likely):
        return country
    if known.country == region[:2]:
        return None
    contact = strip_contact(Place(before))
    address = _is_address(before)
    if contact.phone or contact.domain or not (address or known.online):
        return None
    if "  " in before:
        return None  # what stands in the town's column may be one that is not known
    own = DOMAIN.match(before)
    national = own is not None and own[1].upper().endswith(f".{code}")
    return country if national or code in _RATHER_COUNTRIES else ""


def _is_address(name: str) -> bool:
    """Whether a name is nothing but a web address, with a reference at most: AMAZON.COM*2K3."""
    found = DOMAIN.match(name)
    return found is not None and not any(
        word.isalpha() and len(word) > 2 for word in name[found.end() :].split()
    )


def _state_rather(before: str, code: str) -> str:
    """The state of a code that is a country's as well, by the town before it: SPRINGFIELD, IL."""
    state = region_of(code)
    if not state.startswith("US-") or not _ends_in_city(before, state):
        return ""
    country = COUNTRIES.get(code, "")
    return "" if country and _ends_in_city(before, country) else state


def _ends_in_city(name: str, region: str) -> bool:
    words = upper(name).replace(".", " ").replace("'", "").split()
    return any(
        gazetteer().lies_in(" ".join(words[-count:]), region)
        for count in range(1, min(len(words), LONGEST_CITY) + 1)
    )


def _glued_state(place: Place, offset: int) -> Place:
    """`SAN FRANCISCOCA`, `SOUTH LAKE TACA`, `855-973-1040CA`: a state without a space before it."""
    found = _GLUED_STATE.match(place.name)
    if not found or not (region := region_of(found[2].upper())) or found[1][-1:].isspace():
        return place
    rest = place._replace(name=found[1], region=region, country=region[:2])
    contact = strip_contact(rest)
    if contact.phone != place.phone or contact.domain != place.domain or contact.hint != place.hint:
        return contact
    city = strip_city(rest, region, offset, certain=True)
    if city.city:
        return city
    last = found[1].split()[-1].upper()
    head = re.sub(r"\W+", "", upper(found[1][: -len(last)]))
    if len(last) >= 8 and len(head) >= 5 and (head.startswith(last) or last.startswith(head)):
        return rest._replace(name=found[1][: -len(last)].rstrip(), hint=last)
    return place
