"""Strips the city off the end of a descriptor, also where a column cut or glued it."""

import re

from merchants.matching.descriptor.gazetteer import Gazetteer, load_gazetteer
from merchants.matching.descriptor.location import Location, city_key, upper
from merchants.matching.text.normalize import fold
from merchants.matching.text.word_lists import SHOP_WORDS, is_everyday, word_set

# Columns (0-based) at which fixed layouts print the city after the name without a space.
_CITY_COLUMNS = frozenset({16, 20, 21, 22, 23, 24, 25})
# The width of the name before the city in layouts with padded columns.
_NAME_COLUMN_WIDTH = 25
MAX_CITY_WORDS = 4
_WORD = re.compile(r"\S+")
_NON_WORD = re.compile(r"\W+")
_MAX_GLUED_LENGTH = 40  # characters of a city inside a word


def strip_city(
    location: Location, region: str, offset: int, gazetteer_only: bool = False
) -> Location:
    """Strip the city off the end, given its state or country.

    Its column may have cut it off (13 characters) or glued it to a cut name. With
    `gazetteer_only` a wide gap between columns is not taken for the start of an unknown city.
    """
    gazetteer = load_gazetteer()
    name = location.name
    starts = [word.start() for word in _WORD.finditer(name)]
    city_start = 0
    for start in starts[1:][-MAX_CITY_WORDS:]:
        city = city_key(name[start:])
        if (
            gazetteer.lies_in(city, region)
            or (9 <= len(city) <= 13 and " " in city and gazetteer.begins_in(city, region))
            or (len(city) >= 10 and gazetteer.begins_in(city, region))
        ):
            city_start = start
            break
    glued = _glued_city(name, starts, region, offset, gazetteer)
    if glued and (not city_start or glued < city_start):
        city_start = glued
    if not city_start and not gazetteer_only:
        city_start = 0 if location.phone or location.domain else _wide_gap(name, offset)
        if not city_start:
            return with_cut_domain(location)
    if not city_start:
        return location
    return location._replace(
        name=name[:city_start].rstrip(" ,-"), city=name[city_start:].strip(" ,")
    )


def _wide_gap(name: str, offset: int) -> int:
    """Where an unknown city's column begins: after a run of blanks or a name of 25 characters."""
    gap = name.rfind("  ")
    if gap > 0 and not any(char.isdigit() for char in name[gap:]):
        return gap
    full = _NAME_COLUMN_WIDTH - offset
    if len(name) > full and name[full] == " " and len(name) - full <= 14:
        return full
    return 0


def _glued_city(
    name: str, starts: list[int], region: str, offset: int, gazetteer: Gazetteer
) -> int:
    """Where a city begins inside a word (`CATAUSTIN`), 0 if none does."""
    for start in starts[-3:]:
        end = name.find(" ", start)
        word_end = len(name) if end < 0 else end
        is_one_word = name[start:word_end].isalpha() and name[start:word_end].isupper()
        for index in range(start + 1, word_end - 1):
            if is_one_word and index + offset not in _CITY_COLUMNS:
                continue
            previous, char = name[index - 1], name[index]
            if not char.isalpha():
                continue
            starts_mixed_case = previous.isupper() and char.isupper() and name[index + 1].islower()
            follows_separator = previous.isdigit() or previous in ".#-*&" or starts_mixed_case
            if not (follows_separator or (index + offset) in _CITY_COLUMNS):
                continue
            city = city_key(name[index:]) if len(name) - index <= _MAX_GLUED_LENGTH else ""
            if len(city) >= 4 and (
                gazetteer.lies_in(city, region)
                or (len(city) >= 10 and gazetteer.begins_in(city, region))
            ):
                return index
            if previous == "#" and index + offset in _CITY_COLUMNS:
                return index
    return 0


def with_cut_domain(location: Location) -> Location:
    """`IDAHO SLEIGH RIDES IDAHOSLEIGHRI`: an address in the city's column repeats the name."""
    words = location.name.split()
    if len(words) < 2 or len(words[-1]) < 7:
        return location
    last = _NON_WORD.sub("", upper(words[-1]))
    head = _NON_WORD.sub("", upper("".join(words[:-1])))
    if len(last) >= 7 and (head.startswith(last) or (last.startswith(head) and len(head) >= 5)):
        return location._replace(
            name=location.name[: location.name.rfind(words[-1])].rstrip(), cut_domain=last
        )
    return location


_NOT_FIRST_IN_CITY = word_set("& AND OF AT IN -")
_NOT_BEFORE_CITY = word_set("OF DE DU DI DA AT THE LE LA EL & AND IN VON VAN DEL CITY")


def strip_lone_city(location: Location, country: str, likely_country: str) -> Location:
    """Strip a city of the gazetteer off the end although no state or country follows it.

    Only where the rest can be a name of its own and the city's name is no everyday word.
    """
    gazetteer = load_gazetteer()
    words = location.name.split()
    if (
        len(words) > 2
        and re.fullmatch(r"\d{1,2}", words[-1])
        and gazetteer.regions(city_key(words[-2]))
    ):
        words.pop()  # a district of a large city: PARIS 6
    for count in range(min(len(words) - 1, MAX_CITY_WORDS), 0, -1):
        city = city_key(" ".join(words[-count:]))
        regions = gazetteer.regions(city)
        first_word = words[-count].upper()
        if not regions or len(city) < 4 or (count > 1 and first_word in _NOT_FIRST_IN_CITY):
            continue
        in_likely_country = likely_country and likely_country in regions and len(words) > 2
        if count == 1 and is_everyday(city.lower()) and not in_likely_country:
            continue
        if country and not any(candidate[:2] == country for candidate in regions):
            continue
        rest = words[:-count]
        is_only_shop_word = len(rest) == 1 and fold(rest[0]) in SHOP_WORDS
        if is_only_shop_word or rest[-1].upper() in _NOT_BEFORE_CITY:
            continue
        city_start = location.name.rstrip().rfind(" ".join(words[-count:]))
        if city_start <= 0:
            continue
        countries = {region[:2] for region in regions}
        return location._replace(
            name=location.name[:city_start].rstrip(" ,"),
            city=" ".join(words[-count:]),
            country=country or (next(iter(countries)) if len(countries) == 1 else ""),
            possible_countries=tuple(sorted(countries)),
        )
    return location


def strip_given_city(location: Location, city: str) -> Location:
    """Strip the city that the client gave off the end."""
    key = city_key(city) if city else ""
    words = location.name.split()
    count = len(key.split())
    if location.city or not key or len(words) <= count:
        return location
    if city_key(" ".join(words[-count:])) != key:
        return location
    return location._replace(name=" ".join(words[:-count]), city=city)
