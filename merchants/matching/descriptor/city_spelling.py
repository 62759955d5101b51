"""Spells a city as its people do: `SAO PAULO` as São Paulo, `SOUTH LAKE TA` as South Lake Tahoe."""

from pathlib import Path

from merchants.matching.descriptor.gazetteer import load_gazetteer
from merchants.matching.descriptor.location import city_key
from merchants.matching.text.normalize import spell_out_umlauts
from merchants.matching.text.titlecase import title_case_city
from pave.core.caching.loading import load_once

# Lines of a country, a tab, and its cities with letters that descriptors lack.
_DATA_FILE = Path(__file__).parents[2] / "data" / "city_spellings.tsv"
_MIN_CUT_LETTERS = 9  # letters that a column of 13 or fewer leaves of a longer name


@load_once(at_start=True)
def _spellings() -> dict[tuple[str, str], str]:
    """The spelling of a city by country and printed name (also with ae for ä)."""
    lines = _DATA_FILE.read_text(encoding="utf-8").splitlines()
    return {
        (country, city_key(printed)): name
        for country, names in (line.split("\t") for line in lines)
        for name in names.split("|")
        for printed in (name, spell_out_umlauts(name) or name)
    }


def spelled_city(city: str, region: str, country: str) -> str:
    """The spelling of a printed city; `region` (`US-CA`) and `country` are "" if not known.

    A name that a column cut off is completed if only one city of the region begins so.
    """
    gazetteer = load_gazetteer()
    key = city_key(city)
    regions = gazetteer.regions(key)
    if (
        not regions
        and region
        and len(key) >= _MIN_CUT_LETTERS
        and (full_name := gazetteer.complete(key, region))
    ):
        city = key = full_name
    if not country:
        countries = {candidate[:2] for candidate in regions}
        country = countries.pop() if len(countries) == 1 else ""
    if spelling := _spellings().get((country, key)):
        return spelling
    first = city.split(maxsplit=1)[0].upper().rstrip(".")
    if first not in ("ST", "STE") and len(key) > len(city):
        city = key  # an abbreviation was spelled out: S LAKE TAHOE
    return title_case_city(city)
