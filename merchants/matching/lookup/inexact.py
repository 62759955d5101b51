"""Finds merchants whose name is printed inexactly: glued to other words, cut off or misspelt."""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz, process

from merchants.matching.lookup import confidence
from merchants.matching.lookup.name_index import Hit, NameIndex
from merchants.matching.lookup.suffix import is_number
from merchants.matching.lookup.tie_break import (
    Candidate,
    CatalogueMatch,
    LookupQuery,
    best_candidate,
)
from merchants.matching.text.normalize import compact, compact_words, words_of
from merchants.matching.text.word_lists import ANY_TRADE_WORDS, SHOP_WORDS, SUFFIX_WORDS, is_common
from merchants.matching.types import CatalogueMerchant

_MIN_GLUED_LETTERS = 7  # of a name without a blank after it
MIN_CUT_LETTERS = 6  # that are left of a name
_MIN_SHARE_LEFT = 0.5  # share of a name's letters that must be left
_MIN_FUZZY_LETTERS = 6
FUZZY_CUTOFF = 88.0  # rapidfuzz ratio, 0 to 100
_NUMBERED = re.compile(r"([a-z]{5,})\d{2,}")  # RACETRAC412


class InexactMatcher:
    """Looks for inexactly printed names of one catalogue."""

    def __init__(self, merchants: Sequence[CatalogueMerchant], index: NameIndex) -> None:
        self._merchants = merchants
        self._index = index

    def glued(self, query: LookupQuery) -> CatalogueMatch | None:
        """`GRUBHUBORIENTALTASTE`: a distinctive name of one word, glued to others."""
        words = query.descriptor.words
        if not words or is_common(words[0]):
            return None
        if numbered := _NUMBERED.fullmatch(words[0]):
            spelling = numbered[1]
            hit = Hit(spelling, 1, self._index.exact(spelling))
            if hit.merchants and self._index.is_distinctive(hit, [spelling]):
                return self._match_unless_foreign(
                    hit.merchants, query, confidence.GLUED, "a number behind"
                )
        if query.via_processor:
            return None
        spelling = self._index.longest_name_at_start(words[0], _MIN_GLUED_LETTERS)
        if not spelling or self._index.word_count(spelling) > 1:
            return None
        hit = Hit(spelling, 1, self._index.exact(spelling))
        if not self._index.is_distinctive(hit, [spelling]):
            return None
        return self._match_unless_foreign(hit.merchants, query, confidence.GLUED, "begins with")

    def glued_to_number(self, query: LookupQuery) -> CatalogueMatch | None:
        """`BREEZE AIRWAZZM4NR`: a name that ends within the second word, before a number."""
        words = query.descriptor.words
        if query.via_processor or len(words) < 2:
            return None
        if not (words[1][:3].isalpha() and is_number(words[1])):
            return None
        min_letters = max(_MIN_GLUED_LETTERS, len(words[0]) + 3)
        spelling = self._index.longest_name_at_start(words[0] + words[1], min_letters)
        if not spelling:
            return None
        return self._match_unless_foreign(
            self._index.exact(spelling), query, confidence.GLUED, "begins with"
        )

    def truncated(self, query: LookupQuery, words: Sequence[str]) -> CatalogueMatch | None:
        """A name that its column cut off: `SHOPPERS DRUG MA`."""
        start = compact_words(list(words))
        if len(words) < 2 or len(start) < MIN_CUT_LETTERS:
            return None
        positions = {
            position
            for name in self._index.names_starting_with(start)
            if len(start) >= _MIN_SHARE_LEFT * len(name)
            for position in self._index.exact(name)
        }
        by_main_name = [
            position
            for position in positions
            if compact(self._merchants[position].name).startswith(start)
        ]
        candidate = self._best(sorted(by_main_name or positions), query)
        if candidate is None or candidate.is_foreign or not candidate.unambiguous:
            return None
        return candidate.to_match(
            confidence.CUT_OFF, f"the column cut {candidate.merchant.name} off"
        )

    def misspelt(self, query: LookupQuery) -> CatalogueMatch | None:
        """A name spelled almost as the cleaned descriptor is: `URBAN OUTFITTRS`."""
        words = words_of(query.descriptor.text)
        while (
            len(words) > 1
            and words[-1] in SUFFIX_WORDS
            and (words[-1] not in SHOP_WORDS or words[-1] in ANY_TRADE_WORDS)
        ):
            words.pop()
        spelling = compact_words(words)
        # Correctly spelled everyday words are a name of their own, not a misspelt one.
        if len(spelling) < _MIN_FUZZY_LETTERS or all(is_common(word) for word in words):
            return None
        block = self._index.block(spelling)
        best = process.extractOne(spelling, block, scorer=fuzz.ratio, score_cutoff=FUZZY_CUTOFF)
        if best is None or _digits(best[0]) != _digits(spelling):
            return None
        shop_words = [word for word in words if word in SHOP_WORDS]
        if shop_words and not _alike_without_shop_words(spelling, best[0], shop_words):
            return None
        hit = Hit(best[0], len(words), self._index.exact(best[0]))
        if not self._index.is_distinctive(hit, words):
            return None
        score = confidence.of_misspelling(best[1], query.via_processor)
        return self._match_unless_foreign(
            hit.merchants, query, score, f"spelled ({best[1]:.0f} %) like"
        )

    def _match_unless_foreign(
        self, positions: Sequence[int], query: LookupQuery, score: float, reason: str
    ) -> CatalogueMatch | None:
        candidate = self._best(positions, query)
        if candidate is None or candidate.is_foreign:
            return None
        return candidate.to_match(score, f"{reason} {candidate.merchant.name}")

    def _best(self, positions: Sequence[int], query: LookupQuery) -> Candidate | None:
        return best_candidate([self._merchants[position] for position in positions], query)


def _alike_without_shop_words(name: str, other_name: str, shop_words: Sequence[str]) -> bool:
    """Whether names are alike without a trade that both state: BAKERY SMITH, BAKERY SMYTHE."""
    for word in shop_words:
        name, other_name = name.replace(word, "", 1), other_name.replace(word, "", 1)
    return bool(fuzz.ratio(name, other_name) >= FUZZY_CUTOFF)


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())
