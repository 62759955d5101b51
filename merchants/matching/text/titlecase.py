"""Writes a cleaned descriptor as the merchant writes its name: `O'REILLY AUTO` as O'Reilly Auto."""

import re

from merchants.matching.text.segmentation import segmented
from merchants.matching.text.wordlist import listed

# Words inside a name that stay small, in the languages that have such words.
_SMALL = listed(
    """a an and at by for from in of on or the to with y e et und de del della delle dei di da
    do dos das du des la le les el los las lo al il van von der den het op te zu zum zur im am
    aan i og och & 'n n"""
)
# Words written in capitals although they have vowels, or with letters in an order all their own.
_FIXED = {
    word.lower(): word
    for word in """ATM BBQ BMW BP CVS DHL DIY DJ DMV DVD EZ FAO GNC GNP HBO HMV HP HSBC IBM ICA IGA
    IHOP IKEA ING IT JR KFC KLM LA LAX LED LG LLC MTA NBA NFL NHL NYC OBI OK OXXO PC PCC PDX
    QVC RAC REI RV SFO SNCF TGV TJ TV UK UPS US USA USPS VIP VR XL YMCA YWCA II III IV VI VII VIII
    IX AA AAA UBS BJ PJ DD JP EU UAE SPA4 AMC EE UCLA USC UCSF NYU MIT""".split()
}
# Words without a vowel that are words all the same, cut short.
_SHORTENED = listed(
    "mtn mt mkt mkts ctr rd blvd hwy pkwy ln str mgmt svc svcs grp bldg mfg jr sr pt ft"
)
_TITLES = {"mr": "Mr.", "mrs": "Mrs.", "dr": "Dr.", "st": "St."}
# German words that rails print without their umlaut.
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


def written_well(text: str) -> str:
    """`text` as a name. Text that already has small and capital letters keeps them.

    Never raises; text without letters comes back as it is.
    """
    if not any(char.isalpha() for char in text):
        return text
    if " " not in text:
        text = segmented(text)
    if not (text.isupper() or text.islower()):
        return _french_cafe(text)
    text = _POSSESSIVE.sub(r"\1'S", text.upper())
    pieces = _TOKEN.findall(text)
    last = len(pieces) - 1
    out = []
    for at, piece in enumerate(pieces):
        before = pieces[at - 1] if at else ""
        after = pieces[at + 1] if at < last else ""
        out.append(_word(piece, first=at == 0, before=before, after=after))
    return _french_cafe("".join(out))


# Words inside a place's name that stay small.
_SMALL_IN_PLACES = (_SMALL - listed("a an la le les los las el lo by")) | listed(
    "en sur sous lès ob bei sul upon under unter auf s'"
)


def place_written_well(text: str) -> str:
    """The name of a place: `SAINT-DENIS` as Saint-Denis, `ST LOUIS` as St. Louis.

    Text that already has small and capital letters keeps them.
    """
    if not (text.isupper() or text.islower()):
        return text
    out: list[str] = []
    for piece in _TOKEN.findall(text):
        lower = piece.lower()
        if lower == "st" and not out:
            out.append("St.")
        elif lower in _SMALL_IN_PLACES and out:
            out.append(lower)
        elif lower[:2] == "mc" and len(lower) > 4:
            out.append(f"Mc{_capitalised(lower[2:])}")
        else:
            out.append(_capitalised(piece))
    return "".join(out).replace("St..", "St.")


def _word(word: str, *, first: bool, before: str, after: str) -> str:
    if word.isspace() or not any(map(str.isalpha, word)):
        return word
    lower = word.lower()
    if "&" in (before, after) and len(word) <= 2:
        return word.upper()  # H&M, B&Q, AT&T
    if lower in _SMALL and not first and before.isspace():
        return lower
    if lower in _UMLAUTS:
        return _UMLAUTS[lower]
    if lower in _FIXED:
        return _FIXED[lower]
    if lower in _TITLES and after != "'" and first:
        return _TITLES[lower].rstrip(".") if after == "." else _TITLES[lower]
    if word[0].isdigit():
        if _ORDINAL.fullmatch(word):
            return lower
        return word[0] + word[1:] if len(word) <= 3 else _after_digits(word)
    initials = len(word) <= 4 and lower not in _SHORTENED and not _VOWEL.search(word)
    if len(word) == 1 or initials:
        return word.upper()
    return _capitalised(word)


def _after_digits(word: str) -> str:
    digits = re.match(r"\d+", word)
    end = digits.end() if digits else 0
    return word[:end] + word[end:].capitalize()


def _capitalised(word: str) -> str:
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
    """`Cafe de Flore` is French and has its accent; `Cafe Vida` may be of any language."""
    return _FRENCH_CAFE.sub("Café", name)
