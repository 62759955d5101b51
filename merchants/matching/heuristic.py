"""Pave's heuristic: matches a transaction with the catalogue and the staff's rules.

Pure: no database, no settings. `docs/matching.md` explains how it decides.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple, Protocol

from merchants.matching.booking.kind import kind_of
from merchants.matching.descriptor.gazetteer import CURRENCY_COUNTRIES
from merchants.matching.descriptor.parser import Descriptor, parse
from merchants.matching.lookup import confidence
from merchants.matching.lookup.catalogue import CatalogueMatcher
from merchants.matching.lookup.name_index import NameIndex
from merchants.matching.lookup.tie_break import CatalogueMatch
from merchants.matching.rules import RuleMatcher
from merchants.matching.text.titlecase import title_case
from merchants.matching.types import (
    NO_NAME,
    CatalogueMerchant,
    Key,
    Match,
    MatchRule,
    Method,
    Transaction,
)

__all__ = [
    "CatalogueMerchant",
    "Heuristic",
    "Key",
    "Match",
    "MatchRule",
    "Method",
    "PaveHeuristic",
    "Transaction",
]

# The name after these is mostly a person's.
_PERSON_TO_PERSON_APPS = frozenset({"Venmo", "Cash App"})
_RULE_CONFIDENCE = 0.99


class Heuristic(Protocol):
    """The interface of a heuristic; PAVE_HEURISTIC names the one in use."""

    def key(self, transaction: Transaction) -> Key | str:
        """Return the resolution key: transactions with equal keys have equal answers.

        A plain text is a key that is not shared between clients. May take a second of CPU time.
        """

    def match(self, transaction: Transaction) -> Match:
        """Return the merchant of a transaction."""


class _FuzzyQuery(NamedTuple):
    """All that a match by spelling depends on."""

    text: str
    mcc: str
    country: str
    bank_country: str
    intermediary: str
    truncated: bool


class PaveHeuristic:
    """Pave's own heuristic over one catalogue and one set of rules.

    Cheap matches are made by `_match_directly`, and the resolution key is then the match itself.
    All others are made by `_match_by_spelling` from a `_FuzzyQuery` alone, which is then the key.
    So two transactions with one key have one answer by construction.
    """

    def __init__(
        self, merchants: Iterable[CatalogueMerchant], rules: Iterable[MatchRule] = ()
    ) -> None:
        # Ordered by id, so that the answer does not depend on the order of the rows.
        self._merchants = sorted(merchants, key=lambda merchant: merchant.id)
        self._by_id = {merchant.id: merchant for merchant in self._merchants}
        self._catalogue = CatalogueMatcher(self._merchants, NameIndex(self._merchants))
        self._rules = RuleMatcher(rules)

    def key(self, transaction: Transaction) -> Key:
        """The resolution key of a transaction: its direct match or its fuzzy query, see the class.

        A direct match holds only words of the catalogue and of Pave's own lists, and is shared. A
        fuzzy query holds the descriptor, which is the client's.
        """
        descriptor, country = _descriptor_and_country(transaction)
        match = self._match_directly(descriptor, transaction.mcc, country)
        if match is None:
            query = _fuzzy_query(descriptor, transaction.mcc, country)
            return Key(f"q:{tuple(query)!r}")
        intermediary = match.intermediary or ""
        if match.rule_id:
            return Key(f"r:{match.rule_id}:{intermediary}", shared=True)
        # The reason belongs to it: else staff read of a request why another one was answered so.
        why = f"{match.confidence:.2f}:{intermediary}:{'; '.join(match.evidence)}"
        if match.merchant_id:
            return Key(f"m:{match.merchant_id}:{why}", shared=True)
        return Key(f"n:{match.name}:{match.method}:{why}", shared=True)

    def match(self, transaction: Transaction) -> Match:
        """The merchant of a transaction, by the first step that is sure enough."""
        descriptor, country = _descriptor_and_country(transaction)
        match = self._match_directly(descriptor, transaction.mcc, country)
        if match is None:
            match = self._match_by_spelling(_fuzzy_query(descriptor, transaction.mcc, country))
        return replace(match, descriptor=descriptor.text)

    def _match_directly(self, descriptor: Descriptor, mcc: str, country: str) -> Match | None:
        """The match by rules, exact names and bank wording, if these decide it."""
        intermediary = descriptor.intermediary
        rule = self._rules.first_match(descriptor.text, mcc, country, intermediary or "")
        if rule is not None:
            return self._by_rule(rule, intermediary)
        if self._names_no_merchant(descriptor):
            if intermediary and not descriptor.is_cash:
                return self._processor_itself(intermediary)
            return _no_merchant(0.9, "only the bank's own words are left")
        match = self._catalogue.match_exact(descriptor, mcc, country)
        if match is not None:
            return _catalogue_match(match, Method.CATALOGUE, intermediary)
        if descriptor.is_movement:
            return _no_merchant(0.8, "a movement between accounts or people")
        if intermediary in _PERSON_TO_PERSON_APPS:
            return self._processor_itself(intermediary)
        if kind_of(descriptor, mcc).names_no_merchant:
            return _no_merchant(0.8, "a name that is at most a person's")
        return None

    def _match_by_spelling(self, query: _FuzzyQuery) -> Match:
        """The match by comparing spellings: slow, its cost grows with the catalogue."""
        descriptor = Descriptor(
            raw="",
            text=query.text,
            words=(),
            intermediary=query.intermediary or None,
            bank_country=query.bank_country,
            truncated=query.truncated,
        )
        intermediary = descriptor.intermediary
        match = self._catalogue.match_fuzzy(descriptor, query.mcc, query.country)
        if match is not None:
            return _catalogue_match(match, Method.FUZZY, intermediary)
        return Match(
            title_case(query.text),
            Method.CLEANED.value,
            confidence.of_cleaned_name(descriptor, query.country),
            intermediary=intermediary,
            evidence=("not in the catalogue: its name as printed",),
        )

    def _names_no_merchant(self, descriptor: Descriptor) -> bool:
        if descriptor.is_cash:
            return True
        return descriptor.names_no_merchant and not self._catalogue.has_name(descriptor)

    def _by_rule(self, rule: MatchRule, intermediary: str | None) -> Match:
        merchant = self._by_id.get(rule.merchant_id or "")
        return Match(
            merchant.name if merchant else NO_NAME,
            Method.RULE.value,
            _RULE_CONFIDENCE,
            merchant.id if merchant else None,
            intermediary=intermediary,
            rule_id=rule.id,
            evidence=(f"rule: {rule.kind} {rule.pattern!r}",),
        )

    def _processor_itself(self, intermediary: str) -> Match:
        merchant = self._catalogue.named_exactly(intermediary)
        return Match(
            merchant.name if merchant else intermediary,
            Method.CATALOGUE.value if merchant else Method.CLEANED.value,
            0.8,
            merchant.id if merchant else None,
            evidence=("no merchant behind the processor: the payment was to itself",),
        )


def parse_transaction(transaction: Transaction) -> Descriptor:
    """The parts of a transaction's text, which rules and the catalogue are matched with."""
    return parse(transaction.description, transaction.country.upper(), transaction.city)


def _descriptor_and_country(transaction: Transaction) -> tuple[Descriptor, str]:
    """The descriptor's parts, and the country by client, text or currency."""
    descriptor = parse_transaction(transaction)
    country = (
        transaction.country.upper()
        or descriptor.country
        or CURRENCY_COUNTRIES.get(transaction.currency, "")
    )
    return descriptor, country


def _fuzzy_query(descriptor: Descriptor, mcc: str, country: str) -> _FuzzyQuery:
    return _FuzzyQuery(
        " ".join(descriptor.text.split()),
        mcc,
        country,
        descriptor.bank_country,
        descriptor.intermediary or "",
        descriptor.truncated,
    )


def _catalogue_match(match: CatalogueMatch, method: Method, intermediary: str | None) -> Match:
    return Match(
        match.merchant.name,
        method.value,
        match.confidence,
        match.merchant.id,
        intermediary=intermediary,
        evidence=match.evidence,
    )


def _no_merchant(score: float, reason: str) -> Match:
    return Match(NO_NAME, Method.NONE.value, score, evidence=(reason,))
