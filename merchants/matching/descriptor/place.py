"""Where a descriptor says the merchant is, and the name that is left."""

import re
from typing import NamedTuple

from merchants.matching.descriptor.gazetteer import gazetteer
from merchants.matching.text.normalize import fold

_NO_LETTERS = re.compile(r"[^A-Z0-9]+")
# Short forms in front of a place's name.
_SHORT_FORMS = {
    "S": "SOUTH", "N": "NORTH", "E": "EAST", "W": "WEST", "SO": "SOUTH", "NO": "NORTH",
    "ST": "SAINT", "STE": "SAINTE", "FT": "FORT", "MT": "MOUNT", "PT": "PORT", "LK": "LAKE",
}  # fmt: skip


def city_key(text: str) -> str:
    """As the gazetteer writes it: `St. Louis` gives ST LOUIS if known so, else SAINT LOUIS."""
    key = _NO_LETTERS.sub(" ", upper(text).replace("'", "")).strip()
    first, blank, rest = key.partition(" ")
    if blank and first in _SHORT_FORMS and not gazetteer().regions(key):
        return f"{_SHORT_FORMS[first]} {rest}"
    if " ST " in key and not gazetteer().regions(key):
        return key.replace(" ST ", " SAINT ")  # EAST ST LOUIS
    return key


class Place(NamedTuple):
    """What stood behind the name, and the name that is left."""

    name: str
    city: str = ""
    region: str = ""
    country: str = ""
    phone: str = ""
    domain: str = ""
    nearby: tuple[str, ...] = ()  # countries that have a town of this name, if several
    number: str = ""  # a postcode or reference that stood behind the place
    postal_code: str = ""  # as printed, of any country's shape
    hint: str = ""  # letters of a web address that the city's column cut off: PLAYITAGAINSP

    @property
    def known(self) -> bool:
        """Whether anything of a place, phone or address was found."""
        return bool(self.city or self.region or self.country or self.phone or self.domain)


def upper(text: str) -> str:
    """Capitals without accents."""
    return text.upper() if text.isascii() else fold(text).upper()
