"""Writes a town as its people do: `SAO PAULO` as São Paulo, `SOUTH LAKE TA` as South Lake Tahoe."""

from functools import cache
from pathlib import Path

from merchants.matching.descriptor.gazetteer import gazetteer
from merchants.matching.descriptor.place import city_key
from merchants.matching.text.normalize import spell_out_umlauts
from merchants.matching.text.titlecase import title_case_city

# Lines of a country, a tab, and its towns whose letters rails do not print.
_DATA_FILE = Path(__file__).parents[2] / "data" / "city_spellings.tsv"
_SHORTEST_CUT = 9  # letters that a column of 13 or fewer leaves of a longer name


@cache
def _spellings() -> dict[tuple[str, str], str]:
    """The spelling of a town by country and by its name as rails print it, also with ae for ä."""
    lines = _DATA_FILE.read_text(encoding="utf-8").splitlines()
    return {
        (country, city_key(printed)): name
        for country, names in (line.split("\t") for line in lines)
        for name in names.split("|")
        for printed in (name, spell_out_umlauts(name) or name)
    }


def spelled_city(city: str, region: str, country: str) -> str:
    """`city` as it is printed, written as a name; `region` as `US-CA`, both "" if not known.

    What a column cut off is completed, if only one town of the region begins so.
    """
    places = gazetteer()
    key = city_key(city)
    lies = places.regions(key)
    if (
        not lies
        and region
        and len(key) >= _SHORTEST_CUT
        and (whole := places.completed(key, region))
    ):
        city = key = whole
    if not country:
        countries = {found[:2] for found in lies}
        country = countries.pop() if len(countries) == 1 else ""
    if spelled := _spellings().get((country, key)):
        return spelled
    first = city.split(maxsplit=1)[0].upper().rstrip(".")
    if first not in ("ST", "STE") and len(key) > len(city):
        city = key  # a short form in front was written out: S LAKE TAHOE
    return title_case_city(city)
