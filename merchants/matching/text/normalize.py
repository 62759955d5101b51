"""Makes spellings of one name equal: case, accents, punctuation, blanks."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# Letters that Unicode does not decompose into a base letter and an accent.
_UNDECOMPOSED = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_NO_SPACE = str.maketrans("", "", "'’‘`´.")
_PLUS = re.compile(r"(?<=\w)\+(?!\w)")
_WORDS = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Lower case without accents; every other character stays as it is."""
    if text.isascii():
        return text.lower()
    lowered = text.casefold().translate(_UNDECOMPOSED)
    decomposed = unicodedata.normalize("NFKD", lowered)
    return unicodedata.normalize(
        "NFC", "".join(char for char in decomposed if not unicodedata.combining(char))
    )


def words_of(text: str) -> list[str]:
    """The folded words of a name: `O'Reilly & Sons` gives oreilly, and, sons; `Disney+` disneyplus.

    An apostrophe and a full stop join (`L.L.Bean` is llbean), all other punctuation separates.
    """
    return list(_words_of(text))


@lru_cache(maxsize=1024)  # most steps of reading a text ask for its words
def _words_of(text: str) -> tuple[str, ...]:
    folded = fold(text).translate(_NO_SPACE)
    if "&" in folded:
        folded = folded.replace("&", " and ")
    if "+" in folded:
        folded = _PLUS.sub("plus", folded)
    return tuple(_WORDS.findall(folded))


def compact(text: str) -> str:
    """The words of a name run together, without a leading article: `The Gap` gives gap."""
    return compact_words(words_of(text))


def compact_words(words: Sequence[str]) -> str:
    """The words run together, without a leading article."""
    return "".join(without_article(words))


def without_article(words: Sequence[str]) -> Sequence[str]:
    """The words of a name, without a leading article."""
    return words[1:] if len(words) > 1 and words[0] == "the" else words


def spell_out_umlauts(text: str) -> str | None:
    """The spelling with ae, oe, ue for umlauts, as banks print it; None without umlauts."""
    spelled = text.casefold().translate(_SPELLED_OUT)
    return spelled if spelled != text.casefold() else None
