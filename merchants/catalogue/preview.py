"""The preview: what publishing the draft would change, on a sample of transactions."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from merchants.catalogue import rulesets
from merchants.matching.change_impact import Changes
from merchants.matching.heuristic import Heuristic, PaveHeuristic
from merchants.matching.types import Match, Transaction
from merchants.models import Feedback, NormalizationRequest

# The latest requests that are examined, and the examples that are kept of each kind.
RECENT = 3000
EXAMPLES = 20
# It runs in a thread of a web process. Ordinary rows take seconds, the slowest a minute.
CPU_SECONDS = 10

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Example:
    """A transaction and its answers before and after."""

    description: str
    before: str
    after: str
    method: str


@dataclass(slots=True)
class Preview:
    """Differences between two contents, over a sample of transactions.

    Gained: a merchant of the catalogue instead of none. Lost: the reverse. Changed: another
    merchant, or another name where neither is in the catalogue.
    """

    examined: int = 0
    gained: int = 0
    lost: int = 0
    changed: int = 0
    # Ids of requests: a preview is cached, their texts must not be.
    examples: dict[str, list[str]] = field(
        default_factory=lambda: {"gained": [], "lost": [], "changed": []}
    )
    labelled: int = 0
    right_before: int = 0
    right_after: int = 0


def preview(content: rulesets.Content | None = None) -> Preview:
    """Compare the published ruleset with ``content``, by default the draft.

    Examines recent requests, and those with accepted feedback, whose right name is known; fewer of
    each if they take more than ``CPU_SECONDS``.
    """
    older = rulesets.current_content()
    newer = rulesets.draft() if content is None else content
    differing = rulesets.difference(older, newer)
    changes = Changes(merchants=differing.merchants, rules=differing.rules)
    before = PaveHeuristic(older.merchants, older.rules)
    after = PaveHeuristic(newer.merchants, newer.rules)
    result = Preview()
    for request in _within_cpu_limit(_recent()):
        transaction = request.as_transaction()
        result.examined += 1
        if changes.may_affect(transaction, None):
            _record_difference(result, request, before.match(transaction), after.match(transaction))
        else:
            match = before.match(transaction)
            if changes.may_affect(transaction, {"merchant": {"id": match.merchant_id}}):
                _record_difference(result, request, match, after.match(transaction))
    _score(result, before.match, after.match)
    return result


def examples_of(result: Preview, before: Heuristic, after: Heuristic) -> dict[str, list[Example]]:
    """Return a preview's examples, of requests that still exist.

    Args:
        result: The preview.
        before: The published heuristic.
        after: The draft's heuristic.
    """
    request_ids = [pk for ids in result.examples.values() for pk in ids]
    found = NormalizationRequest.objects.in_bulk(request_ids)
    requests = {str(pk): request for pk, request in found.items()}
    return {
        kind: [_example(requests[pk], before, after) for pk in ids if pk in requests]
        for kind, ids in result.examples.items()
    }


def _example(request: NormalizationRequest, before: Heuristic, after: Heuristic) -> Example:
    transaction = request.as_transaction()
    match = after.match(transaction)
    return Example(request.description, before.match(transaction).name, match.name, match.method)


def _within_cpu_limit(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield rows until the caller has spent ``CPU_SECONDS`` on them."""
    started = time.thread_time()
    for row in rows:
        yield row
        if time.thread_time() - started >= CPU_SECONDS:
            break


def _recent() -> Iterator[NormalizationRequest]:
    """Yield the latest requests, each text once."""
    descriptions: set[str] = set()
    for request in NormalizationRequest.objects.order_by("-id")[:RECENT].iterator():
        if request.description not in descriptions:
            descriptions.add(request.description)
            yield request


def _record_difference(
    result: Preview, request: NormalizationRequest, before: Match, after: Match
) -> None:
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
        result.examples[kind].append(str(request.pk))


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
    for feedback in _within_cpu_limit(accepted):
        right_name = feedback.merchant.name if feedback.merchant else "n/a"
        transaction = feedback.request.as_transaction()
        result.labelled += 1
        result.right_before += before(transaction).name == right_name
        result.right_after += after(transaction).name == right_name
