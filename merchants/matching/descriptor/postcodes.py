"""Distinguishes postcodes from store numbers and references, by country and region."""

import re

from merchants.matching.text.word_lists import word_set

# Country -> the shape of its postcodes. Countries without printed postcodes are left out.
_SHAPES = {
    country: re.compile(shape, re.IGNORECASE)
    for shape, countries in {
        r"\d{5}(?:-\d{4})?": "US PR",
        r"[A-Z]\d[A-Z]\s?\d[A-Z]\d": "CA",
        r"[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}": "GB",
        r"\d{4}\s?[A-Z]{2}": "NL",
        r"\d{4}": "AT AU BE BG CH CY DK EE HU LU LV NO NZ PH SI TN ZA",
        r"\d{5}": "CZ DE EE EG ES FI FR GR HR ID IT KR LT MA MX MY PE PK RS SA SE SK TH TR TW UA"
        " UY",
        r"\d{2}-\d{3}": "PL",
        r"\d{6}": "CN CO IN RO RU SG VN",
        r"\d{5}-?\d{3}": "BR",
        r"\d{3}-?\d{4}": "JP",
        r"\d{4}(?:-\d{3})?": "PT",
        r"\d{7}": "CL IL",
    }.items()
    for country in countries.split()
}  # fmt: skip

# State -> the first three digits of its ZIP codes, as ranges.
_STATE_ZIP_RANGES = {
    state: [tuple(map(int, part.split("-"))) for part in ranges.split(",")]
    for state, ranges in (
        entry.split(":")
        for entry in word_set(
            """AL:350-369 AK:995-999 AZ:850-865 AR:716-729 CA:900-961 CO:800-816 CT:60-69 DE:197-199
            DC:200-205 FL:320-349 GA:300-319,398-399 HI:967-968 ID:832-838 IL:600-629 IN:460-479
            IA:500-528 KS:660-679 KY:400-427 LA:700-714 ME:39-49 MD:206-219 MA:10-27 MI:480-499
            MN:550-567 MS:386-397 MO:630-658 MT:590-599 NE:680-693 NV:889-898 NH:30-38 NJ:70-89
            NM:870-884 NY:5-5,100-149 NC:270-289 ND:580-588 OH:430-459 OK:730-749 OR:970-979
            PA:150-196 RI:28-29 SC:290-299 SD:570-577 TN:370-385 TX:750-799,885-885 UT:840-847
            VT:50-59 VA:201-201,220-246 WA:980-994 WV:247-268 WI:530-549 WY:820-831 PR:6-9"""
        )
    )
}
_AUSTRALIAN_FIRST_DIGITS = {
    "AU-NSW": "12", "AU-ACT": "02", "AU-VIC": "38", "AU-QLD": "49", "AU-SA": "5", "AU-WA": "6",
    "AU-TAS": "7", "AU-NT": "0",
}  # fmt: skip


def is_postcode(code: str, country: str, region: str = "") -> bool:
    """Whether `code` has the shape of a postcode of `country` (alpha-2) and may lie in `region`.

    Without a country nothing is a postcode: a number after a city may be a store's.
    """
    shape = _SHAPES.get(country)
    if shape is None or not shape.fullmatch(code):
        return False
    if country == "US" and (zip_ranges := _STATE_ZIP_RANGES.get(region.removeprefix("US-"))):
        return any(first <= int(code[:3]) <= last for first, last in zip_ranges)
    if digits := _AUSTRALIAN_FIRST_DIGITS.get(region):
        return code[0] in digits
    return True


def state_of_zip(code: str) -> str:
    """The state of a ZIP code of the United States (`US-IL`); "" if it is none."""
    if not _SHAPES["US"].fullmatch(code):
        return ""
    for state, zip_ranges in _STATE_ZIP_RANGES.items():
        if any(first <= int(code[:3]) <= last for first, last in zip_ranges):
            return f"US-{state}"
    return ""
