"""Takes the town off the end of a descriptor, also where a column cut or glued it."""

import re

from merchants.matching.descriptor.gazetteer import Gazetteer, gazetteer
from merchants.matching.descriptor.place import Place, city_key, upper
from merchants.matching.text.normalize import fold
from merchants.matching.text.word_lists import SHOP_WORDS, is_everyday, word_set

# Columns (0-based) at which fixed layouts print the city behind the name without a space.
_COLUMNS = frozenset({16, 20, 21, 22, 23, 24, 25})
# The width of a name before the city, where the rail fills its columns.
_FULL_COLUMN = 25
LONGEST_CITY = 4  # words
_WORD = re.compile(r"\S+")
_SIGNS = re.compile(r"\W+")
_LONGEST_GLUED = 40  # characters of a city that stands inside a word


def strip_city(place: Place, region: str, offset: int, certain: bool = False) -> Place:
    """Take the city off the end, knowing its state or country.

    It may be cut off by its column (13 characters) or stand without a space behind a cut name.
    With `certain`, only what the gazetteer knows counts; else wide gaps between columns do too.
    """
    places = gazetteer()
    name = place.name
    starts = [found.start() for found in _WORD.finditer(name)]
    best = 0
    for start in starts[1:][-LONGEST_CITY:]:
        city = city_key(name[start:])
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
            return hinted(place)
    if not best:
        return place
    return place._replace(name=name[:best].rstrip(" ,-"), city=name[best:].strip(" ,"))


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
    for start in starts[-3:]:
        end = name.find(" ", start)
        word_end = len(name) if end < 0 else end
        plain = name[start:word_end].isalpha() and name[start:word_end].isupper()
        for at in range(start + 1, word_end - 1):
            if plain and at + offset not in _COLUMNS:
                continue
            before, here = name[at - 1], name[at]
            if not here.isalpha():
                continue
            shift = before.isupper() and here.isupper() and name[at + 1].islower()
            edge = before.isdigit() or before in ".#-*&" or shift
            if not (edge or (at + offset) in _COLUMNS):
                continue
            city = city_key(name[at:]) if len(name) - at <= _LONGEST_GLUED else ""
            if len(city) >= 4 and (
                places.lies_in(city, region) or (len(city) >= 10 and places.begins_in(city, region))
            ):
                return at
            if before == "#" and at + offset in _COLUMNS:
                return at
    return 0


def hinted(place: Place) -> Place:
    """`IDAHO SLEIGH RIDES IDAHOSLEIGHRI`: an address in the city's column repeats the name."""
    words = place.name.split()
    if len(words) < 2 or len(words[-1]) < 7:
        return place
    last = _SIGNS.sub("", upper(words[-1]))
    head = _SIGNS.sub("", upper("".join(words[:-1])))
    if len(last) >= 7 and (head.startswith(last) or (last.startswith(head) and len(head) >= 5)):
        return place._replace(name=place.name[: place.name.rfind(words[-1])].rstrip(), hint=last)
    return place


_NO_CITY_BEGINS = word_set("& AND OF AT IN -")
_NOT_BEFORE_A_CITY = word_set("OF DE DU DI DA AT THE LE LA EL & AND IN VON VAN DEL CITY")


def strip_lone_city(place: Place, country: str, likely: str) -> Place:
    """Take a known city off the end although no state or country follows it.

    Only where the rest can be a name of its own, and only a place whose name is no everyday word.
    """
    places = gazetteer()
    words = place.name.split()
    if (
        len(words) > 2
        and re.fullmatch(r"\d{1,2}", words[-1])
        and places.regions(city_key(words[-2]))
    ):
        words.pop()  # a district of a large city: PARIS 6
    for count in range(min(len(words) - 1, LONGEST_CITY), 0, -1):
        city = city_key(" ".join(words[-count:]))
        regions = places.regions(city)
        opening = words[-count].upper()
        if not regions or len(city) < 4 or (count > 1 and opening in _NO_CITY_BEGINS):
            continue
        at_home = likely and likely in regions and len(words) > 2
        if count == 1 and is_everyday(city.lower()) and not at_home:
            continue
        if country and not any(found[:2] == country for found in regions):
            continue
        rest = words[:-count]
        only_a_kind = len(rest) == 1 and fold(rest[0]) in SHOP_WORDS
        if only_a_kind or rest[-1].upper() in _NOT_BEFORE_A_CITY:
            continue
        at = place.name.rstrip().rfind(" ".join(words[-count:]))
        if at <= 0:
            continue
        found = {region[:2] for region in regions}
        return place._replace(
            name=place.name[:at].rstrip(" ,"),
            city=" ".join(words[-count:]),
            country=country or (next(iter(found)) if len(found) == 1 else ""),
            nearby=tuple(sorted(found)),
        )
    return place


def strip_given_city(place: Place, city: str) -> Place:
    """Take the city off the end that the client says the transaction was made in."""
    key = city_key(city) if city else ""
    words = place.name.split()
    count = len(key.split())
    if place.city or not key or len(words) <= count:
        return place
    if city_key(" ".join(words[-count:])) != key:
        return place
    return place._replace(name=" ".join(words[:-count]), city=city)
