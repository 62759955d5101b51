"""Merchants whose name the rail damaged: glued to other words, cut off, or behind a town."""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz, process

from merchants.matching.lookup import confidence
from merchants.matching.lookup.name_index import BrandIndex, Hit
from merchants.matching.lookup.suffix import is_number
from merchants.matching.lookup.tie_break import Choice, Clues, Found, choose
from merchants.matching.text.normalize import compact, compact_words, words_of
from merchants.matching.text.word_lists import ANY_TRADE_WORDS, SHOP_WORDS, SUFFIX_WORDS, is_common
from merchants.matching.types import CatalogueMerchant

_SHORTEST_GLUED = 7  # letters of a name that stands glued to something else
_SHORTEST_CUT = 6  # letters that are left of a name
_LEAST_LEFT = 0.5  # share of a name's letters that must be left
_SHORTEST_ALIKE = 6
_ALIKE_CUTOFF = 88.0  # rapidfuzz ratio, 0 to 100


_NUMBERED = re.compile(r"([a-z]{5,})\d{2,}")  # RACETRAC412


class DamagedNames:
    """Looks for names of one catalogue that are not printed as they are."""

    def __init__(self, merchants: Sequence[CatalogueMerchant], index: BrandIndex) -> None:
        self._merchants = merchants
        self._index = index

    def glued(self, clues: Clues) -> Found | None:
        """`GRUBHUBORIENTALTASTE`: a distinctive name of one word with more behind it."""
        words = clues.descriptor.words
        if not words or is_common(words[0]):
            return None
        if numbered := _NUMBERED.fullmatch(words[0]):
            spelling = numbered[1]
            hit = Hit(spelling, 1, self._index.exact(spelling))
            if hit.merchants and self._index.is_distinctive(hit, [spelling]):
                return self._surely(hit.merchants, clues, confidence.GLUED, "a number behind")
        if clues.intermediary:
            return None
        spelling = self._index.beginning(words[0], _SHORTEST_GLUED)
        if not spelling or self._index.word_count(spelling) > 1:
            return None
        hit = Hit(spelling, 1, self._index.exact(spelling))
        if not self._index.is_distinctive(hit, [spelling]):
            return None
        return self._surely(hit.merchants, clues, confidence.GLUED, "begins with")

    def glued_to_a_ticket(self, clues: Clues) -> Found | None:
        """`BREEZE AIRWAZZM4NR`: a name that ends within the second word, before a number."""
        words = clues.descriptor.words
        if clues.intermediary or len(words) < 2:
            return None
        if not (words[1][:3].isalpha() and is_number(words[1])):
            return None
        shortest = max(_SHORTEST_GLUED, len(words[0]) + 3)
        spelling = self._index.beginning(words[0] + words[1], shortest)
        if not spelling:
            return None
        return self._surely(self._index.exact(spelling), clues, confidence.GLUED, "begins with")

    def cut_off(self, clues: Clues, words: Sequence[str]) -> Found | None:
        """A name that its column cut off: `SHOPPERS DRUG MA`."""
        start = compact_words(list(words))
        if len(words) < 2 or len(start) < _SHORTEST_CUT:
            return None
        places = {
            at
            for name in self._index.continuing(start)
            if len(start) >= _LEAST_LEFT * len(name)
            for at in self._index.exact(name)
        }
        called = [at for at in places if compact(self._merchants[at].name).startswith(start)]
        choice = self._choose(sorted(called or places), clues)
        if choice is None or choice.foreign or not choice.alone:
            return None
        return choice.found(confidence.CUT_OFF, f"the column cut {choice.merchant.name} off")

    def misspelt(self, clues: Clues) -> Found | None:
        """A name spelled almost as the cleaned descriptor is: `URBAN OUTFITTRS`."""
        words = words_of(clues.descriptor.text)
        while (
            len(words) > 1
            and words[-1] in SUFFIX_WORDS
            and (words[-1] not in SHOP_WORDS or words[-1] in ANY_TRADE_WORDS)
        ):
            words.pop()
        spelling = compact_words(words)
        # Correctly spelled everyday words are a name of their own, not a misspelt one.
        if len(spelling) < _SHORTEST_ALIKE or all(is_common(word) for word in words):
            return None
        block = self._index.block(spelling)
        best = process.extractOne(spelling, block, scorer=fuzz.ratio, score_cutoff=_ALIKE_CUTOFF)
        if best is None or _digits(best[0]) != _digits(spelling):
            return None
        kinds = [word for word in words if word in SHOP_WORDS]
        if kinds and not _alike_without(spelling, best[0], kinds):
            return None
        hit = Hit(best[0], len(words), self._index.exact(best[0]))
        if not self._index.is_distinctive(hit, words):
            return None
        sure = confidence.alike(best[1], clues.intermediary)
        return self._surely(hit.merchants, clues, sure, f"spelled ({best[1]:.0f} %) like")

    def _surely(self, at: Sequence[int], clues: Clues, sure: float, why: str) -> Found | None:
        choice = self._choose(at, clues)
        if choice is None or choice.foreign:
            return None
        return choice.found(sure, f"{why} {choice.merchant.name}")

    def _choose(self, at: Sequence[int], clues: Clues) -> Choice | None:
        return choose([self._merchants[place] for place in at], clues)


def _alike_without(one: str, other: str, kinds: Sequence[str]) -> bool:
    """A trade that both have does not make names alike: BAKERY SMITH and BAKERY SMYTHE."""
    for word in kinds:
        one, other = one.replace(word, "", 1), other.replace(word, "", 1)
    return bool(fuzz.ratio(one, other) >= _ALIKE_CUTOFF)


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())
