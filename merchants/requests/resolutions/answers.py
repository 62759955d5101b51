"""How an answer of the heuristic is stored in its resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from merchants.matching.types import CatalogueMerchant, Match
from merchants.models import Merchant, Resolution, Rule
from merchants.requests.heuristic_run import Answer


@dataclass(frozen=True, slots=True)
class MatchedRows:
    """The rows that matches refer to, if they still exist: a heuristic may be out of date.

    Args:
        merchants: By id.
        rules: Ids.
    """

    merchants: dict[UUID, Merchant]
    rules: frozenset[int]

    @classmethod
    def by(cls, matches: Sequence[Match]) -> "MatchedRows":
        """Read the rows, in at most two statements."""
        merchants = {pk for match in matches if (pk := _uuid(match.merchant_id))}
        rules = {number for match in matches if (number := _number(match.rule_id))}
        return cls(
            Merchant.objects.in_bulk(merchants),
            frozenset(Rule.objects.filter(pk__in=rules).values_list("pk", flat=True)),
        )


def apply_answer(answer: Answer, resolution: Resolution, rows: MatchedRows) -> None:
    """Set an answer on a resolution, without saving it."""
    match = answer.match
    merchant = rows.merchants.get(_uuid(match.merchant_id) or UUID(int=0))
    rule_id = _number(match.rule_id)
    resolution.answer = as_json(match, merchant, resolution.ruleset_id, answer.published)
    resolution.merchant = merchant
    resolution.rule_id = rule_id if rule_id in rows.rules else None
    resolution.method = match.method
    resolution.confidence = match.confidence
    resolution.evidence = list(match.evidence)


def as_json(
    match: Match,
    merchant: Merchant | None,
    ruleset: int,
    published: CatalogueMerchant | None,
) -> dict[str, Any]:
    """Return the shared parts of the API's members ``merchant`` and ``match``.

    They hold nothing that was read from a transaction: that belongs to the request, and
    `merchants.requests.events` adds it.

    Args:
        match: The heuristic's answer.
        merchant: The row that it refers to.
        ruleset: The number of the answering ruleset.
        published: The merchant as in that ruleset. The row is the draft, which supplies only what
            no ruleset holds: web sites of countries, Wikidata's id and the logo.
    """
    facts = published or merchant
    return {
        "merchant": {
            "id": str(merchant.pk) if merchant else None,
            "name": match.name,
            "website": (facts.website or None) if facts else None,
            "websites": merchant.websites if merchant else {},
            "wikidata": (merchant.wikidata or None) if merchant else None,
            "mcc": facts.mccs[0] if facts and facts.mccs else None,
            "category": (facts.category or None) if facts else None,
            "logo_url": (merchant.logo_url or None) if merchant else None,
        },
        "match": {
            "method": match.method,
            "confidence": match.confidence,
            "rule": match.rule_id,
            "ruleset": ruleset,
        },
    }


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
