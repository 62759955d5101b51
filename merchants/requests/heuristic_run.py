"""One run of the heuristic, bounded in time whatever the heuristic does."""

import time
from dataclasses import dataclass

from django.conf import settings

from merchants.catalogue.rulesets import heuristic_for, merchants_of
from merchants.matching.types import CatalogueMerchant, Match, Transaction
from merchants.models import Resolution
from pave.core.time_limit import time_limit


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a run of the heuristic."""

    match: Match
    duration_ms: int
    # The merchant as in the answering ruleset; None for a custom heuristic.
    published: CatalogueMerchant | None = None


def run(resolution: Resolution, transaction: Transaction) -> Answer:
    """Run the heuristic; call it in a process's main thread, outside any transaction.

    Args:
        resolution: The resolution to answer.
        transaction: A transaction with its key.

    Raises:
        TimeUp: It took longer than PAVE_HEURISTIC_TIMEOUT.
        Exception: Whatever the heuristic raises.
    """
    heuristic = heuristic_for(resolution.ruleset_id)
    begun = time.monotonic()
    with time_limit(settings.PAVE_HEURISTIC_TIMEOUT):
        _burn(settings.PAVE_HEURISTIC_SECONDS)
        match = heuristic.match(transaction)
    return Answer(
        match=match,
        duration_ms=int(1000 * (time.monotonic() - begun)),
        published=merchants_of(heuristic).get(match.merchant_id or ""),
    )


def _burn(seconds: float) -> None:
    """Burn CPU time, to simulate a slow heuristic (PAVE_HEURISTIC_SECONDS)."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
