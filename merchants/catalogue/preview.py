"""What publishing the draft would change, before it is published."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from merchants.catalogue import rulesets
from merchants.matching.change_impact import Changes
from merchants.matching.heuristic import Heuristic, PaveHeuristic
from merchants.matching.types import Match, Transaction
from merchants.models import Feedback, NormalizationRequest

# How many of the latest requests are looked at, and how many examples of a kind are shown.
RECENT = 3000
EXAMPLES = 20
# A thread of a web process works it out. Ordinary rows take some seconds, the slowest a minute.
CPU_SECONDS = 10

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Example:
    """One transaction and its answers before and after."""

    description: str
    before: str
    after: str
    method: str


@dataclass(slots=True)
class Preview:
    """Differences between two contents, over a sample of transactions.

    Gained: a merchant of the catalogue where there was none. Lost: the other way round. Changed:
    another merchant, or another name where neither is in the catalogue.
    """

    examined: int = 0
    gained: int = 0
    lost: int = 0
    changed: int = 0
    # Ids of requests: it is kept for a while, and their texts are not.
    examples: dict[str, list[UUID]] = field(
        default_factory=lambda: {"gained": [], "lost": [], "changed": []}
    )
    labelled: int = 0
    right_before: int = 0
    right_after: int = 0


def preview(content: rulesets.Content | None = None) -> Preview:
    """Compare what answers now with ``content``, by default the draft.

    Looks at recent requests, and at those whose right name is known from accepted feedback; at
    fewer of each if they take more than ``CPU_SECONDS``.
    """
    older = rulesets.current_content()
    newer = rulesets.draft() if content is None else content
    differing = rulesets.difference(older, newer)
    changes = Changes(merchants=differing.merchants, rules=differing.rules)
    before = PaveHeuristic(older.merchants, older.rules)
    after = PaveHeuristic(newer.merchants, newer.rules)
    result = Preview()
    for request in _for_a_while(_recent()):
        transaction = request.as_transaction()
        result.examined += 1
        if changes.may_affect(transaction, None):
            _note(result, request, before.match(transaction), after.match(transaction))
        else:
            match = before.match(transaction)
            if changes.may_affect(transaction, {"merchant": {"id": match.merchant_id}}):
                _note(result, request, match, after.match(transaction))
    _score(result, before.match, after.match)
    return result


def examples_of(seen: Preview, before: Heuristic, after: Heuristic) -> dict[str, list[Example]]:
    """Return a preview's examples, of those requests that are still there.

    Args:
        seen: The preview.
        before: What answers now.
        after: What would.
    """
    pks = [pk for some in seen.examples.values() for pk in some]
    there = NormalizationRequest.objects.in_bulk(pks)
    return {
        kind: [_example(there[pk], before, after) for pk in some if pk in there]
        for kind, some in seen.examples.items()
    }


def _example(request: NormalizationRequest, before: Heuristic, after: Heuristic) -> Example:
    transaction = request.as_transaction()
    match = after.match(transaction)
    return Example(request.description, before.match(transaction).name, match.name, match.method)


def _for_a_while(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield rows until what is done with them has taken ``CPU_SECONDS``."""
    begun = time.thread_time()
    for row in rows:
        yield row
        if time.thread_time() - begun >= CPU_SECONDS:
            break


def _recent() -> Iterator[NormalizationRequest]:
    """Yield the latest requests, each text once."""
    seen: set[str] = set()
    for request in NormalizationRequest.objects.order_by("-id")[:RECENT].iterator():
        if request.description not in seen:
            seen.add(request.description)
            yield request


def _note(result: Preview, request: NormalizationRequest, before: Match, after: Match) -> None:
    if (before.merchant_id, before.name) == (after.merchant_id, after.name):
        return
    if after.merchant_id and not before.merchant_id:
        kind = "gained"
    elif before.merchant_id and not after.merchant_id:
        kind = "lost"
    else:
        kind = "changed"
    setattr(result, kind, getattr(result, kind) + 1)
    if len(result.examples[kind]) < EXAMPLES:
        result.examples[kind].append(request.pk)


def _score(
    result: Preview,
    before: Callable[[Transaction], Match],
    after: Callable[[Transaction], Match],
) -> None:
    accepted: Iterable[Feedback] = (
        Feedback.objects.filter(status=Feedback.Status.ACCEPTED)
        .select_related("request", "merchant")
        .order_by("-id")[:RECENT]
    )
    for feedback in _for_a_while(accepted):
        right = feedback.merchant.name if feedback.merchant else "n/a"
        transaction = feedback.request.as_transaction()
        result.labelled += 1
        result.right_before += before(transaction).name == right
        result.right_after += after(transaction).name == right
