"""Writes a cleaned descriptor as the merchant writes its name: `O'REILLY AUTO` as O'Reilly Auto."""

import re

from merchants.matching.text.segmentation import segment
from merchants.matching.text.word_lists import word_set

# Words that stay in lower case inside a name.
_LOWERCASE_WORDS = word_set(
    """a an and at by for from in of on or the to with y e et und de del della delle dei di da
    do dos das du des la le les el los las lo al il van von der den het op te zu zum zur im am
    aan i og och & 'n n"""
)
# Words with vowels that are written in capitals, or with a spelling of their own.
_FIXED_SPELLINGS = {
    word.lower(): word
    for word in """ATM BBQ BMW BP CVS DHL DIY DJ DMV DVD EZ FAO GNC GNP HBO HMV HP HSBC IBM ICA IGA
    IHOP IKEA ING IT JR KFC KLM LA LAX LED LG LLC MTA NBA NFL NHL NYC OBI OK OXXO PC PCC PDX
    QVC RAC REI RV SFO SNCF TGV TJ TV UK UPS US USA USPS VIP VR XL YMCA YWCA II III IV VI VII VIII
    IX AA AAA UBS BJ PJ DD JP EU UAE SPA4 AMC EE UCLA USC UCSF NYU MIT""".split()
}
# Words without a vowel that are no initials.
_ABBREVIATIONS = word_set(
    "mtn mt mkt mkts ctr rd blvd hwy pkwy ln str mgmt svc svcs grp bldg mfg jr sr pt ft"
)
_TITLES = {"mr": "Mr.", "mrs": "Mrs.", "dr": "Dr.", "st": "St."}
# German words that are printed without their umlaut.
_UMLAUTS = {
    "baeckerei": "Bäckerei", "gaertnerei": "Gärtnerei", "getraenke": "Getränke", "moebel": "Möbel",
    "kuechen": "Küchen", "fruehstueck": "Frühstück", "muehle": "Mühle", "koeln": "Köln",
    "muenchen": "München", "duesseldorf": "Düsseldorf", "nuernberg": "Nürnberg",
    "zuerich": "Zürich", "bruecke": "Brücke", "gaststaette": "Gaststätte", "wuerstel": "Würstel",
    "loewen": "Löwen", "loewe": "Löwe", "roemer": "Römer", "koenig": "König", "muehlen": "Mühlen",
    "baecker": "Bäcker", "fuer": "für", "gruen": "Grün", "gruener": "Grüner", "baeren": "Bären",
    "kueche": "Küche", "moebelhaus": "Möbelhaus", "blueten": "Blüten", "schloessl": "Schlössl",
    "gemuese": "Gemüse", "kaese": "Käse", "doener": "Döner", "wuerzburg": "Würzburg",
}  # fmt: skip
_VOWEL = re.compile(r"[AEIOUYÀ-ÿ]", re.IGNORECASE)
_TOKEN = re.compile(r"[^\s/\-–—&+.,()!:;\"*]+|\s+|.", re.DOTALL)
_ELISION = re.compile(r"^(O|D|L|N|DELL|ALL|SANT)'(?=\w{2})", re.IGNORECASE)
_ORDINAL = re.compile(r"\d+(?:ST|ND|RD|TH)")
_SCOTTISH = re.compile(r"MC[BCDFGHKLMNPQRSTVW]", re.IGNORECASE)
_FRENCH_CAFE = re.compile(r"\bCaf[eé](?=\s+(?:de|du|des|la|le|les|d'|l')\b)")
_POSSESSIVE = re.compile(r"\b(\w{2,}+)\s++S\b(?!\.)")


def title_case(text: str) -> str:
    """`text` as a name. Text in mixed case keeps its case.

    Never raises; text without letters comes back as it is.
    """
    if not any(char.isalpha() for char in text):
        return text
    if " " not in text:
        text = segment(text)
    if not (text.isupper() or text.islower()):
        return _french_cafe(text)
    text = _POSSESSIVE.sub(r"\1'S", text.upper())
    pieces = _TOKEN.findall(text)
    last = len(pieces) - 1
    words = []
    for index, piece in enumerate(pieces):
        before = pieces[index - 1] if index else ""
        after = pieces[index + 1] if index < last else ""
        words.append(_word(piece, first=index == 0, before=before, after=after))
    return _french_cafe("".join(words))


# Words that stay in lower case inside a city's name.
_LOWERCASE_IN_CITIES = (_LOWERCASE_WORDS - word_set("a an la le les los las el lo by")) | word_set(
    "en sur sous lès ob bei sul upon under unter auf s'"
)


def title_case_city(text: str) -> str:
    """The name of a city: `SAINT-DENIS` as Saint-Denis, `ST LOUIS` as St. Louis.

    Text in mixed case keeps its case.
    """
    if not (text.isupper() or text.islower()):
        return text
    words: list[str] = []
    for piece in _TOKEN.findall(text):
        lower = piece.lower()
        if lower == "st" and not words:
            words.append("St.")
        elif lower in _LOWERCASE_IN_CITIES and words:
            words.append(lower)
        elif lower[:2] == "mc" and len(lower) > 4:
            words.append(f"Mc{_capitalize(lower[2:])}")
        else:
            words.append(_capitalize(piece))
    return "".join(words).replace("St..", "St.")


def _word(word: str, *, first: bool, before: str, after: str) -> str:
    if word.isspace() or not any(map(str.isalpha, word)):
        return word
    lower = word.lower()
    if "&" in (before, after) and len(word) <= 2:
        return word.upper()  # H&M, B&Q, AT&T
    if lower in _LOWERCASE_WORDS and not first and before.isspace():
        return lower
    if lower in _UMLAUTS:
        return _UMLAUTS[lower]
    if lower in _FIXED_SPELLINGS:
        return _FIXED_SPELLINGS[lower]
    if lower in _TITLES and after != "'" and first:
        return _TITLES[lower].rstrip(".") if after == "." else _TITLES[lower]
    if word[0].isdigit():
        if _ORDINAL.fullmatch(word):
            return lower
        return word[0] + word[1:] if len(word) <= 3 else _after_digits(word)
    initials = len(word) <= 4 and lower not in _ABBREVIATIONS and not _VOWEL.search(word)
    if len(word) == 1 or initials:
        return word.upper()
    return _capitalize(word)


def _after_digits(word: str) -> str:
    digits = re.match(r"\d+", word)
    end = digits.end() if digits else 0
    return word[:end] + word[end:].capitalize()


def _capitalize(word: str) -> str:
    elision = _ELISION.match(word)
    if elision:
        head, rest = elision[0], word[elision.end() :]
        lead = head.capitalize()
        return lead + rest[:1].upper() + rest[1:].lower()
    capital = word[:1].upper() + word[1:].lower()
    if len(word) > 4 and _SCOTTISH.match(word):
        return "Mc" + word[2].upper() + word[3:].lower()
    return capital


def _french_cafe(name: str) -> str:
    """`Café de Flore` is French and has an accent; `Cafe Vida` may be any language."""
    return _FRENCH_CAFE.sub("Café", name)
