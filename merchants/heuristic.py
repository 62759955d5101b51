"""The matcher: a transaction, the catalogue and staff's rules give a merchant and a confidence.

Pure: no database, no settings; everything it knows is given to it. `docs/matching.md` explains how
it decides.
"""

import hashlib
from collections.abc import Iterable
from typing import Protocol

from merchants.brand_index import BrandIndex
from merchants.catalogue_match import CatalogueMatcher
from merchants.cleaned_match import cleaned_confidence, no_merchant
from merchants.descriptor import Descriptor, parse
from merchants.naming import written_well
from merchants.places import CURRENCY_COUNTRIES
from merchants.question import (
    NO_NAME,
    CatalogueMerchant,
    Match,
    MatchRule,
    Method,
    Transaction,
)
from merchants.rule_match import RuleBook

__all__ = [
    "CatalogueMerchant",
    "Heuristic",
    "Match",
    "MatchRule",
    "Method",
    "PaveHeuristic",
    "Transaction",
]

_LONGEST_KEY = 200
# Behind these stands whom the money was sent to, mostly somebody.
_BETWEEN_PEOPLE = frozenset({"Venmo", "Cash App"})
_REMEMBERED = 4096  # descriptors whose parts are kept: `match` often follows `key`


class Heuristic(Protocol):
    """What Pave asks of a heuristic; another one can be set with PAVE_HEURISTIC."""

    def key(self, transaction: Transaction) -> str:
        """Text that two transactions share only if their answers are the same."""

    def match(self, transaction: Transaction) -> Match:
        """The merchant of a transaction."""


class PaveHeuristic:
    """Pave's own heuristic over one catalogue and one set of rules."""

    def __init__(
        self, merchants: Iterable[CatalogueMerchant], rules: Iterable[MatchRule] = ()
    ) -> None:
        # Ordered by id, so that the answer does not depend on the order of the rows.
        self._merchants = sorted(merchants, key=lambda merchant: merchant.id)
        self._by_id = {merchant.id: merchant for merchant in self._merchants}
        self._catalogue = CatalogueMatcher(self._merchants, BrandIndex(self._merchants))
        self._rules = RuleBook(rules)
        self._parsed: dict[tuple[str, str, str], Descriptor] = {}

    def key(self, transaction: Transaction) -> str:
        """The question that a transaction asks, without what cannot change its answer.

        A merchant that the catalogue names outright is its own key, with the processor and the
        confidence; else the cleaned descriptor is, with the evidence that further steps weigh.
        """
        descriptor, country = self._read(transaction)
        who = descriptor.intermediary or ""
        rule = self._rules.find(descriptor.text, transaction.mcc, country, who)
        if rule is not None:
            return _shortened(f"r:{rule.id}:{who}")
        if self._names_nobody(descriptor):
            return f"n:{who}"
        found = self._catalogue.named(descriptor, transaction.mcc, country)
        if found is not None:
            return _shortened(f"m:{found.merchant.id}:{found.confidence:.2f}:{who}")
        if descriptor.is_movement:
            return f"n:{who}"
        cut = "t" if descriptor.truncated else ""
        evidence = f"{who}:{country}:{descriptor.bank_country}:{transaction.mcc}:{cut}"
        return _shortened(f"d:{evidence}:{' '.join(descriptor.text.upper().split())}")

    def match(self, transaction: Transaction) -> Match:
        """The merchant of a transaction, by the first step that is sure enough."""
        descriptor, country = self._read(transaction)
        who = descriptor.intermediary
        steps = list(_reading(descriptor))
        rule = self._rules.find(descriptor.text, transaction.mcc, country, who or "")
        if rule is not None:
            return self._by_rule(rule, descriptor, steps)
        if self._names_nobody(descriptor):
            if who and not descriptor.is_cash:
                return self._processor_itself(who, descriptor, steps)
            return Match(
                NO_NAME, Method.NONE.value, 0.9, descriptor=descriptor.text,
                evidence=(*steps, "only the bank's own words are left"),
            )  # fmt: skip
        found = self._catalogue.named(descriptor, transaction.mcc, country)
        method = Method.CATALOGUE
        if found is None and descriptor.is_movement:
            return Match(
                NO_NAME, Method.NONE.value, 0.8, descriptor=descriptor.text,
                evidence=(*steps, "a movement between accounts or people"),
            )  # fmt: skip
        if found is None and who in _BETWEEN_PEOPLE:
            return self._processor_itself(who, descriptor, steps)
        if found is None:
            found = self._catalogue.alike(descriptor, transaction.mcc, country)
            method = Method.FUZZY
        if found is not None:
            return Match(
                found.merchant.name, method.value, found.confidence, found.merchant.id,
                descriptor.text, who, evidence=(*steps, *found.evidence),
            )  # fmt: skip
        return Match(
            written_well(descriptor.text), Method.CLEANED.value,
            cleaned_confidence(descriptor, country), None, descriptor.text, who,
            evidence=(*steps, "not in the catalogue: its name as printed"),
        )  # fmt: skip

    def _read(self, transaction: Transaction) -> tuple[Descriptor, str]:
        """The descriptor's parts and the country, as the client or else the rail tells it."""
        given = transaction.country.upper()
        known = (transaction.description, given, transaction.city)
        descriptor = self._parsed.get(known)
        if descriptor is None:
            descriptor = parse(transaction.description, given, transaction.city)
            if len(self._parsed) >= _REMEMBERED:
                self._parsed.clear()
            self._parsed[known] = descriptor
        country = given or descriptor.country or CURRENCY_COUNTRIES.get(transaction.currency, "")
        return descriptor, country

    def _names_nobody(self, descriptor: Descriptor) -> bool:
        if descriptor.is_cash:
            return True
        return no_merchant(descriptor) and not self._catalogue.knows(descriptor)

    def _by_rule(self, rule: MatchRule, descriptor: Descriptor, steps: list[str]) -> Match:
        steps.append(f"rule: {rule.kind} {rule.pattern!r}")
        merchant = self._by_id.get(rule.merchant_id or "")
        if merchant is None:
            return Match(
                NO_NAME, Method.RULE.value, 0.99, None, descriptor.text, descriptor.intermediary,
                rule.id, tuple(steps),
            )  # fmt: skip
        return Match(
            merchant.name, Method.RULE.value, 0.99, merchant.id, descriptor.text,
            descriptor.intermediary, rule.id, tuple(steps),
        )  # fmt: skip

    def _processor_itself(self, who: str, descriptor: Descriptor, steps: list[str]) -> Match:
        merchant = self._catalogue.by_name(who)
        steps.append("no merchant behind the processor: the payment was to itself")
        return Match(
            merchant.name if merchant else who,
            Method.CATALOGUE.value if merchant else Method.CLEANED.value,
            0.8, merchant.id if merchant else None, descriptor.text, None, evidence=tuple(steps),
        )  # fmt: skip


def _shortened(key: str) -> str:
    """A key that fits its column; the end of a long one is told by a digest."""
    if len(key) <= _LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{key[: _LONGEST_KEY - len(digest) - 1]}~{digest}"


def _reading(descriptor: Descriptor) -> Iterable[str]:
    """What was taken off the raw text, in words."""
    if descriptor.intermediary:
        yield f"intermediary: {descriptor.intermediary}"
    if descriptor.store_number:
        yield f"store number: {descriptor.store_number}"
    place = ", ".join(filter(None, (descriptor.city, descriptor.region or descriptor.country)))
    if place:
        yield f"place: {place}"
    if descriptor.phone:
        yield f"phone: {descriptor.phone}"
    if descriptor.domain:
        yield f"domain: {descriptor.domain}"
