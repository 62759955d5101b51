"""Takes the place off a descriptor's end: phone, address, postcode, city, state, country."""

import re
from dataclasses import replace

from merchants.cities import LONGEST_CITY, strip_city, strip_lone_city
from merchants.contact import POSTCODE, strip_contact
from merchants.place import Place, city_key, upper
from merchants.places import COUNTRIES, US_STATES, gazetteer, region_of
from merchants.postcodes import is_postcode, state_of_zip

# Not ten digits: those are a phone number.
_NUMBER_BEHIND = re.compile(r"\s#?(\d{5}-\d{4}|\d{4,8})$")
_MOST_NUMBERS = 4  # behind one another
# Australian states as a column of two letters prints them.
_CUT_STATES = {"NS": "NSW", "VI": "VIC", "QL": "QLD", "TA": "TAS", "AC": "ACT"}
_GLUED_STATE = re.compile(r"^(.*\S)([A-Z]{2})$", re.DOTALL)


def split_place(
    text: str, offset: int = 0, country: str = "", likely: str = "", numbers: int = _MOST_NUMBERS
) -> Place:
    """Take what stands behind the merchant's name off the end of `text`.

    `offset` is how many characters stood before `text` in its column, `country` the transaction's
    country if the client gave it (alpha-2): it decides which places are meant; `likely` the
    country that the bank's own words point to. At most `numbers` may stand behind the place.
    """
    numbered = _NUMBER_BEHIND.search(text) if numbers else None
    if numbered:
        before = split_place(text[: numbered.start()], offset, country, likely, numbers - 1)
        if before.city and not before.region:
            before = _by_zip(before, numbered[1])
        if before.region or before.city:
            return replace(before, number=numbered[1])
    place = strip_contact(Place(name=text.rstrip(" ,")))
    if numbers and place.phone and _NUMBER_BEHIND.search(place.name):
        # SEATTLE WA 98101 206-555-0199
        before = split_place(place.name, offset, country, likely, numbers - 1)
        if before.region or before.city:
            return replace(before, phone=place.phone, domain=place.domain, hint=place.hint)
    tokens = upper(place.name).split()
    if len(tokens) > 1:
        place = _strip_region(place, tokens, offset)
    if not place.region and not place.country and len(tokens) > 0:
        place = _glued_state(place, offset)
    if place.region or place.country:
        place = strip_contact(place, postcodes=True)
        place = _without_quarter(place, place.region or place.country)
        if not place.city:
            place = strip_city(place, place.region or place.country, offset)
    elif not place.city:
        place = strip_lone_city(place, country, likely)
    return strip_contact(place)


def _by_zip(place: Place, code: str) -> Place:
    """A town whose state its ZIP code tells, if no country with such codes has one of that name."""
    state = state_of_zip(code)
    regions = gazetteer().regions(city_key(place.city))
    elsewhere = any(is_postcode(code, region[:2]) for region in regions if region[:2] != "US")
    if state not in regions or elsewhere or place.country not in ("", "US"):
        return place
    return replace(place, region=state, country="US")


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
    return replace(place, name=found[1])


def read_place(text: str) -> Place:
    """Read a column that holds nothing but a place, phone or address."""
    place = split_place(f"X  {text}")
    return replace(place, name="")


def _strip_region(place: Place, tokens: list[str], offset: int) -> Place:
    """Take a country and a state, each a word of its own, off the end."""
    name, last = place.name, tokens[-1].strip(".,()/")
    slash = re.search(r"[/,]\s?([A-Z]{2})$", name.upper())
    if slash and (state := _state_rather(name[: slash.start()], slash[1])):
        return replace(place, name=name[: slash.start()].rstrip(" ,/"), region=state, country="US")
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
        if country == "AU":
            state = region_of(_CUT_STATES.get(rest[-1].upper(), rest[-1].upper()))
        if state.startswith(country):
            return replace(found, name=shorter[: -len(rest[-1])].rstrip(" ,"), region=state)
        if (zipped := POSTCODE.search(shorter)) and zipped.start() > 3:
            found = replace(found, postal_code=zipped[0].strip())
            shorter = shorter[: zipped.start()].rstrip(" ,")
            before, _, last = shorter.rpartition(" ")
            state = region_of(last.upper())
            if before and state.startswith(country):
                return replace(found, name=before.rstrip(" ,"), region=state)
            return replace(found, name=shorter)
    return found


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
    rest = replace(place, name=found[1], region=region, country=region[:2])
    contact = strip_contact(rest)
    if contact.phone != place.phone or contact.domain != place.domain or contact.hint != place.hint:
        return contact
    city = strip_city(rest, region, offset, certain=True)
    if city.city:
        return city
    last = found[1].split()[-1].upper()
    head = re.sub(r"\W+", "", upper(found[1][: -len(last)]))
    if len(last) >= 8 and len(head) >= 5 and (head.startswith(last) or last.startswith(head)):
        return replace(rest, name=found[1][: -len(last)].rstrip(), hint=last)
    return place
