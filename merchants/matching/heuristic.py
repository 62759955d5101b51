"""The matcher: a transaction, the catalogue and staff's rules give a merchant and a confidence.

Pure: no database, no settings; everything it knows is given to it. `docs/matching.md` explains how
it decides.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple, Protocol

from merchants.matching.booking.kind import kind_of
from merchants.matching.descriptor.gazetteer import CURRENCY_COUNTRIES
from merchants.matching.descriptor.parser import Descriptor, parse
from merchants.matching.lookup.catalogue import CatalogueMatcher
from merchants.matching.lookup.cleaned import cleaned_confidence, no_merchant
from merchants.matching.lookup.name_index import BrandIndex
from merchants.matching.lookup.tie_break import Found
from merchants.matching.rules import RuleBook
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

# Behind these stands whom the money was sent to, mostly somebody.
_BETWEEN_PEOPLE = frozenset({"Venmo", "Cash App"})
_CERTAIN = 0.99  # of a rule: staff have said so


class Heuristic(Protocol):
    """What Pave asks of a heuristic; another one can be set with PAVE_HEURISTIC."""

    def key(self, transaction: Transaction) -> Key | str:
        """What two transactions share only if their answers are the same.

        A plain text is a key that is not shared between clients. A second of CPU time at most.
        """

    def match(self, transaction: Transaction) -> Match:
        """The merchant of a transaction."""


class _Question(NamedTuple):
    """All that the answer depends on where the catalogue does not name the merchant outright."""

    text: str
    mcc: str
    country: str
    bank_country: str
    intermediary: str
    truncated: bool


class PaveHeuristic:
    """Pave's own heuristic over one catalogue and one set of rules.

    What needs little work is decided by `_at_once`, and the key is then the decision itself. All
    else is decided by `_by_comparison`, which sees a `_Question` and nothing more, and the key is
    that question. So two transactions with one key have one answer by construction.
    """

    def __init__(
        self, merchants: Iterable[CatalogueMerchant], rules: Iterable[MatchRule] = ()
    ) -> None:
        # Ordered by id, so that the answer does not depend on the order of the rows.
        self._merchants = sorted(merchants, key=lambda merchant: merchant.id)
        self._by_id = {merchant.id: merchant for merchant in self._merchants}
        self._catalogue = CatalogueMatcher(self._merchants, BrandIndex(self._merchants))
        self._rules = RuleBook(rules)

    def key(self, transaction: Transaction) -> Key:
        """The decision or the question that a transaction comes to; see the class.

        A decision holds words of the catalogue's and of Pave's own lists only, and is shared. A
        question holds the descriptor, which is the client's.
        """
        descriptor, country = _read(transaction)
        match = self._at_once(descriptor, transaction.mcc, country)
        if match is None:
            question = _question(descriptor, transaction.mcc, country)
            return Key(f"q:{tuple(question)!r}")
        who = match.intermediary or ""
        if match.rule_id:
            return Key(f"r:{match.rule_id}:{who}", shared=True)
        if match.merchant_id:
            return Key(f"m:{match.merchant_id}:{match.confidence:.2f}:{who}", shared=True)
        return Key(f"n:{match.name}:{match.method}:{match.confidence:.2f}:{who}", shared=True)

    def match(self, transaction: Transaction) -> Match:
        """The merchant of a transaction, by the first step that is sure enough."""
        descriptor, country = _read(transaction)
        match = self._at_once(descriptor, transaction.mcc, country)
        if match is None:
            match = self._by_comparison(_question(descriptor, transaction.mcc, country))
        return replace(match, descriptor=descriptor.text)

    def _at_once(self, descriptor: Descriptor, mcc: str, country: str) -> Match | None:
        """The answer, where rules, the catalogue's names and the bank's words decide it."""
        who = descriptor.intermediary
        rule = self._rules.find(descriptor.text, mcc, country, who or "")
        if rule is not None:
            return self._by_rule(rule, who)
        if self._names_nobody(descriptor):
            if who and not descriptor.is_cash:
                return self._processor_itself(who)
            return _no_merchant(0.9, "only the bank's own words are left")
        found = self._catalogue.named(descriptor, mcc, country)
        if found is not None:
            return _found(found, Method.CATALOGUE, who)
        if descriptor.is_movement:
            return _no_merchant(0.8, "a movement between accounts or people")
        if who in _BETWEEN_PEOPLE:
            return self._processor_itself(who)
        if kind_of(descriptor, mcc).names_nobody:
            return _no_merchant(0.8, "a name that is at most a person's")
        return None

    def _by_comparison(self, question: _Question) -> Match:
        """The answer by comparing spellings: the slow part, of unbounded cost in the catalogue."""
        descriptor = Descriptor(
            raw="",
            text=question.text,
            words=(),
            intermediary=question.intermediary or None,
            bank_country=question.bank_country,
            truncated=question.truncated,
        )
        who = descriptor.intermediary
        found = self._catalogue.alike(descriptor, question.mcc, question.country)
        if found is not None:
            return _found(found, Method.FUZZY, who)
        return Match(
            title_case(question.text),
            Method.CLEANED.value,
            cleaned_confidence(descriptor, question.country),
            intermediary=who,
            evidence=("not in the catalogue: its name as printed",),
        )

    def _names_nobody(self, descriptor: Descriptor) -> bool:
        if descriptor.is_cash:
            return True
        return no_merchant(descriptor) and not self._catalogue.knows(descriptor)

    def _by_rule(self, rule: MatchRule, who: str | None) -> Match:
        merchant = self._by_id.get(rule.merchant_id or "")
        return Match(
            merchant.name if merchant else NO_NAME,
            Method.RULE.value,
            _CERTAIN,
            merchant.id if merchant else None,
            intermediary=who,
            rule_id=rule.id,
            evidence=(f"rule: {rule.kind} {rule.pattern!r}",),
        )

    def _processor_itself(self, who: str) -> Match:
        merchant = self._catalogue.by_name(who)
        return Match(
            merchant.name if merchant else who,
            Method.CATALOGUE.value if merchant else Method.CLEANED.value,
            0.8,
            merchant.id if merchant else None,
            evidence=("no merchant behind the processor: the payment was to itself",),
        )


def parsed(transaction: Transaction) -> Descriptor:
    """The parts of a transaction's text, as rules and the catalogue are asked for them."""
    return parse(transaction.description, transaction.country.upper(), transaction.city)


def _read(transaction: Transaction) -> tuple[Descriptor, str]:
    """The descriptor's parts and the country, as the client or else the rail tells it."""
    descriptor = parsed(transaction)
    country = (
        transaction.country.upper()
        or descriptor.country
        or CURRENCY_COUNTRIES.get(transaction.currency, "")
    )
    return descriptor, country


def _question(descriptor: Descriptor, mcc: str, country: str) -> _Question:
    return _Question(
        " ".join(descriptor.text.split()),
        mcc,
        country,
        descriptor.bank_country,
        descriptor.intermediary or "",
        descriptor.truncated,
    )


def _found(found: Found, method: Method, who: str | None) -> Match:
    return Match(
        found.merchant.name,
        method.value,
        found.confidence,
        found.merchant.id,
        intermediary=who,
        evidence=found.evidence,
    )


def _no_merchant(confidence: float, why: str) -> Match:
    return Match(NO_NAME, Method.NONE.value, confidence, evidence=(why,))
