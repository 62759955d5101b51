"""What a change of the rules and the catalogue can affect.

Pure. Publishing must not ask every question anew, since one may take half a minute; so it is worth
telling, cheaply, which transactions a change cannot concern. In doubt it says that it may: that
costs a run of the heuristic, while the other mistake would leave a wrong answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rapidfuzz import fuzz, process

from merchants.matching.heuristic import parsed
from merchants.matching.rules import RuleBook
from merchants.matching.text.normalize import words_of
from merchants.matching.types import CatalogueMerchant, MatchRule, Transaction

# With more merchants changed than this, as after an import, comparing costs more than it saves.
TOO_MANY = 300
# The likeness (0 to 100) from which a word of the text may be a misspelt first word of a name;
# well below what the fuzzy match itself asks for.
ALIKE = 60


class Changes:
    """The difference between two versions of the rules and the catalogue.

    Args:
        merchants: Those added, changed (in both versions) and removed.
        rules: Likewise.
    """

    def __init__(
        self, *, merchants: Sequence[CatalogueMerchant], rules: Sequence[MatchRule]
    ) -> None:
        self._too_many = len(merchants) > TOO_MANY
        if self._too_many:
            return
        self._merchant_ids = {merchant.id for merchant in merchants}
        self._openings = _openings(merchants)
        # Conditions are left out: which MCC or country counts is the heuristic's own matter.
        self._rules = RuleBook(replace(rule, mcc="", country="", intermediary="") for rule in rules)

    def may_affect(self, transaction: Transaction, answer: dict[str, Any] | None) -> bool:
        """Return whether the answer for ``transaction`` may be another one now.

        Args:
            transaction: What was asked.
            answer: The answer before, with the API's members ``merchant`` and ``match``.
        """
        if self._too_many:
            return True
        merchant = ((answer or {}).get("merchant") or {}).get("id")
        if merchant in self._merchant_ids:
            return True
        descriptor = parsed(transaction)
        if self._rules.find(descriptor.text, "", "", "") is not None:
            return True
        if not self._openings:
            return False
        # All by which the catalogue is asked: also the processor, and codes before a star.
        words = words_of(
            f"{descriptor.text} {descriptor.domain} {descriptor.intermediary or ''}"
            f" {descriptor.code} {descriptor.after_star}"
        )
        glued = "".join((*words, *words_of(descriptor.raw)))
        return any(opening in glued for opening in self._openings) or any(
            process.extractOne(word, self._openings, scorer=fuzz.ratio, score_cutoff=ALIKE)
            for word in set(words)
        )


def _openings(merchants: Sequence[CatalogueMerchant]) -> set[str]:
    """Return the first word of every spelling of the merchants, and of their domains."""
    spellings = [
        spelling
        for merchant in merchants
        for spelling in (merchant.name, merchant.website, *merchant.aliases)
    ]
    return {
        word
        for spelling in spellings
        for word in words_of(_bare(spelling).removeprefix("The "))[:1]
    }


def _bare(address: str) -> str:
    """Return a web address without its beginning, and any other text as it is."""
    return address.removeprefix("https://").removeprefix("http://").removeprefix("www.")
