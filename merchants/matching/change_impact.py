"""Which answers a change of the rules and the catalogue may affect.

Pure. Publishing must not run the heuristic for every request again, since a run may take half a
minute. This check cheaply excludes transactions that a change cannot affect. A false alarm costs a
run; a miss would leave a wrong answer, so in doubt the answer is yes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rapidfuzz import fuzz, process

from merchants.matching.heuristic import parse_transaction
from merchants.matching.lookup.inexact import FUZZY_CUTOFF, MIN_CUT_LETTERS
from merchants.matching.lookup.name_index import NameIndex
from merchants.matching.rules import RuleMatcher
from merchants.matching.text.normalize import (
    compact_words,
    spell_out_umlauts,
    without_article,
    words_of,
)
from merchants.matching.types import CatalogueMerchant, MatchRule, Transaction

# With more changed merchants, as after an import, checking costs more than it saves.
MAX_MERCHANTS = 300
# The similarity (0 to 100) from which a word may be a misspelt first word of a name; well below
# the cutoff of the fuzzy match itself.
MIN_SIMILARITY = 60


class Changes:
    """The difference between two versions of the rules and the catalogue.

    Args:
        merchants: Those added, changed (in both versions) and removed.
        rules: Likewise.
    """

    def __init__(
        self, *, merchants: Sequence[CatalogueMerchant], rules: Sequence[MatchRule]
    ) -> None:
        self._all_affected = len(merchants) > MAX_MERCHANTS
        if self._all_affected:
            return
        self._merchant_ids = {merchant.id for merchant in merchants}
        self._first_words = _first_words(merchants)
        self._names = NameIndex(merchants)
        # Without conditions: which MCC or country counts is up to the heuristic.
        self._rules = RuleMatcher(
            replace(rule, mcc="", country="", intermediary="") for rule in rules
        )

    def may_affect(self, transaction: Transaction, answer: dict[str, Any] | None) -> bool:
        """Return whether the answer for ``transaction`` may have changed.

        Args:
            transaction: The request's.
            answer: The earlier answer, with the API's members ``merchant`` and ``match``.
        """
        if self._all_affected:
            return True
        merchant = ((answer or {}).get("merchant") or {}).get("id")
        if merchant in self._merchant_ids:
            return True
        descriptor = parse_transaction(transaction)
        if self._rules.first_match(descriptor.text, "", "", "") is not None:
            return True
        if not self._first_words:
            return False
        # All that the catalogue is looked up by, the processor and codes before a star included.
        words = words_of(
            f"{descriptor.text} {descriptor.domain} {descriptor.intermediary or ''}"
            f" {descriptor.code} {descriptor.after_star}"
        )
        glued = "".join((*words, *words_of(descriptor.raw)))
        return (
            any(first_word in glued for first_word in self._first_words)
            or any(
                process.extractOne(
                    word, self._first_words, scorer=fuzz.ratio, score_cutoff=MIN_SIMILARITY
                )
                for word in set(words)
            )
            or self._is_misspelt(words_of(descriptor.text))
            or (
                descriptor.truncated
                and (
                    self._is_cut_off(words_of(descriptor.text))
                    or self._is_cut_off(descriptor.words)
                )
            )
        )

    def _is_cut_off(self, words: Sequence[str]) -> bool:
        """Return whether a name begins with all words or the last ones, blanks aside."""
        ends = (compact_words(words[begin:]) for begin in range(len(words)))
        return any(
            self._names.names_starting_with(end, limit=1)
            for end in ends
            if len(end) >= MIN_CUT_LETTERS
        )

    def _is_misspelt(self, words: Sequence[str]) -> bool:
        """Return whether words begin with something like a whole name, blanks aside."""
        spellings = {compact_words(words[:end]) for end in range(1, len(words) + 1)}
        return any(
            process.extractOne(
                spelling,
                self._names.block(spelling),
                scorer=fuzz.ratio,
                score_cutoff=FUZZY_CUTOFF,
            )
            for spelling in spellings
        )


def _first_words(merchants: Sequence[CatalogueMerchant]) -> set[str]:
    """Return the first word of every spelling of the merchants, and of their domains."""
    spellings = [
        spelling
        for merchant in merchants
        for spelling in (merchant.name, merchant.website, *merchant.aliases)
    ]
    return {
        word
        for spelling in spellings
        for spelled in (spelling, spell_out_umlauts(spelling) or "")
        for word in without_article(words_of(_without_scheme(spelled)))[:1]
    }


def _without_scheme(address: str) -> str:
    """Return a web address without scheme and ``www``, or any other text, in small letters."""
    small = address.lower()
    return small.removeprefix("https://").removeprefix("http://").removeprefix("www.")
