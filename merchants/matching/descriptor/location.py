"""The location that a descriptor states, and how city names are looked up."""

import re
from typing import NamedTuple

from merchants.matching.descriptor.gazetteer import load_gazetteer
from merchants.matching.text.normalize import fold

_NO_LETTERS = re.compile(r"[^A-Z0-9]+")
# Abbreviations that a city's name begins with.
_ABBREVIATIONS = {
    "S": "SOUTH", "N": "NORTH", "E": "EAST", "W": "WEST", "SO": "SOUTH", "NO": "NORTH",
    "ST": "SAINT", "STE": "SAINTE", "FT": "FORT", "MT": "MOUNT", "PT": "PORT", "LK": "LAKE",
}  # fmt: skip


def city_key(text: str) -> str:
    """A city's name in the gazetteer: `St. Louis` is ST LOUIS if listed so, else SAINT LOUIS."""
    key = _NO_LETTERS.sub(" ", upper(text).replace("'", "")).strip()
    first, blank, rest = key.partition(" ")
    if blank and first in _ABBREVIATIONS and not load_gazetteer().regions(key):
        return f"{_ABBREVIATIONS[first]} {rest}"
    if " ST " in key and not load_gazetteer().regions(key):
        return key.replace(" ST ", " SAINT ")  # EAST ST LOUIS
    return key


class Location(NamedTuple):
    """What followed the merchant's name, and the name that is left."""

    name: str
    city: str = ""
    region: str = ""
    country: str = ""
    phone: str = ""
    domain: str = ""
    possible_countries: tuple[str, ...] = ()  # countries that have a town of this name, if several
    number: str = ""  # a postcode or reference after the city
    postal_code: str = ""  # as printed, of any country's shape
    cut_domain: str = ""  # start of a web address that the city's column cut off: PLAYITAGAINSP


def upper(text: str) -> str:
    """Capitals without accents."""
    return text.upper() if text.isascii() else fold(text).upper()
