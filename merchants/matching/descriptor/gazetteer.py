"""States, countries and cities, by which a merchant's location is recognised.

The cities come from GeoNames (CC BY 4.0, see data/places.LICENSE): all of the United States, Canada
and Australia with their state, larger ones of other countries.
"""

import gzip
from bisect import bisect_left
from pathlib import Path

from merchants.matching.text.word_lists import word_set
from pave.core.caching.loading import load_once

DATA_FILE = Path(__file__).parents[2] / "data" / "places.tsv.gz"

US_STATES = word_set(
    """AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH
    NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR"""
)
CANADIAN_PROVINCES = word_set("AB BC MB NB NL NS NT NU ON PE QC SK YT")
AUSTRALIAN_STATES = word_set("ACT NSW QLD SA TAS VIC NT WA")

# Country codes and names as they are printed after a city.
COUNTRIES: dict[str, str] = {
    **{code: code for code in """AT AU BE BG BR CH CL CZ DE DK EE ES FI FR GB GR HK HR HU IE IS IT
    JP KR LT LU LV MX MY NL NO NZ PL PT RO RS SE SG SI SK TH TR TW UA US ZA AE
        AR CO ID IL IN MT PE PH VN SA EG MA QA KW CN UY CR PA DO EC CY GE KE NG JO LB PK BD
        LK""".split()},
    "UK": "GB", "USA": "US", "CAN": "CA", "GBR": "GB", "AUS": "AU", "DEU": "DE", "FRA": "FR",
    "NLD": "NL", "ESP": "ES", "ITA": "IT", "CHE": "CH", "AUT": "AT", "BEL": "BE", "IRL": "IE",
    "LUX": "LU", "PRT": "PT", "POL": "PL", "SWE": "SE", "NOR": "NO", "DNK": "DK", "FIN": "FI",
    "NZL": "NZ", "JPN": "JP", "SGP": "SG", "HKG": "HK", "MEX": "MX", "BRA": "BR", "IND": "IN",
    "CZE": "CZ", "GRC": "GR", "HUN": "HU", "TUR": "TR", "ZAF": "ZA", "MYS": "MY", "THA": "TH",
    "IDN": "ID", "CHN": "CN", "KOR": "KR", "ISR": "IL", "ARE": "AE", "ROU": "RO", "HRV": "HR",
    "SVN": "SI", "SVK": "SK", "EST": "EE", "LVA": "LV", "LTU": "LT", "ISL": "IS", "MLT": "MT",
    "CYP": "CY", "BGR": "BG", "ARG": "AR", "CHL": "CL", "COL": "CO", "PER": "PE", "PHL": "PH",
    "VNM": "VN", "TWN": "TW", "CANADA": "CA", "AUSTRALIA": "AU", "DEUTSCHLAND": "DE",
    "GERMANY": "DE", "FRANCE": "FR", "ESPANA": "ES", "ITALIA": "IT", "NEDERLAND": "NL",
    "IRELAND": "IE", "SCHWEIZ": "CH", "SUISSE": "CH", "OESTERREICH": "AT", "SVERIGE": "SE",
    "NORGE": "NO", "DANMARK": "DK", "SUOMI": "FI", "POLSKA": "PL", "BRASIL": "BR",
}  # fmt: skip

# Currency -> the one country that uses it, or by far the largest that does.
CURRENCY_COUNTRIES = {
    "USD": "US", "GBP": "GB", "CAD": "CA", "AUD": "AU", "NZD": "NZ", "CHF": "CH", "SEK": "SE",
    "NOK": "NO", "DKK": "DK", "PLN": "PL", "CZK": "CZ", "HUF": "HU", "RON": "RO", "BRL": "BR",
    "MXN": "MX", "INR": "IN", "JPY": "JP", "SGD": "SG", "HKD": "HK", "ZAR": "ZA", "TRY": "TR",
    "ISK": "IS", "ILS": "IL", "AED": "AE", "MYR": "MY", "THB": "TH", "PHP": "PH", "IDR": "ID",
    "KRW": "KR", "TWD": "TW", "CNY": "CN", "COP": "CO", "CLP": "CL", "ARS": "AR", "PEN": "PE",
}  # fmt: skip


def region_of(code: str) -> str:
    """`US-CA` for CA, `AU-NSW` for NSW, "" if the code is no state of these three countries."""
    if code in US_STATES:
        return f"US-{code}"
    if code in CANADIAN_PROVINCES:
        return f"CA-{code}"
    if code in AUSTRALIAN_STATES:
        return f"AU-{code}"
    return ""


class Gazetteer:
    """Names of cities (upper case, no accents) and the regions in which each lies."""

    def __init__(self, lines: list[str]) -> None:
        """`lines` are `REGION,REGION<tab>NAME|NAME`."""
        self._regions: dict[str, tuple[str, ...]] = {}
        for line in lines:
            regions, _, names = line.partition("\t")
            # One shared tuple per line keeps 80,000 names in a few megabytes.
            self._regions.update(dict.fromkeys(names.split("|"), tuple(regions.split(","))))
        self._sorted = sorted(self._regions)

    def regions(self, name: str) -> tuple[str, ...]:
        """The regions that have a city of this name; empty if there is none."""
        return self._regions.get(name, ())

    def lies_in(self, name: str, region: str) -> bool:
        """Whether `name` is a city of `region` (`US-CA`, or a country such as `GB` or `US`)."""
        return any(
            lies == region or lies.startswith(f"{region}-") for lies in self._regions.get(name, ())
        )

    def begins_in(self, start: str, region: str) -> bool:
        """Whether a city of `region` begins with `start`, as a column cut it off."""
        index = bisect_left(self._sorted, start)
        while index < len(self._sorted) and self._sorted[index].startswith(start):
            if self.lies_in(self._sorted[index], region):
                return True
            index += 1
        return False

    def complete(self, start: str, region: str) -> str:
        """The only city of `region` that begins with `start`; "" if there are several or none."""
        match = ""
        index = bisect_left(self._sorted, start)
        while index < len(self._sorted) and self._sorted[index].startswith(start):
            if self.lies_in(self._sorted[index], region):
                if match:
                    return ""
                match = self._sorted[index]
            index += 1
        return match

    def any_begins_with(self, start: str) -> bool:
        """Whether any city begins with the whole words of `start`."""
        start += " "
        index = bisect_left(self._sorted, start)
        return index < len(self._sorted) and self._sorted[index].startswith(start)


@load_once(at_start=True)
def load_gazetteer() -> Gazetteer:
    """The shipped gazetteer, read once per process (0.1 s)."""
    with gzip.open(DATA_FILE, "rt", encoding="utf-8") as content:
        return Gazetteer(content.read().splitlines())
