"""Resolutions: claimed, run through the slow heuristic, finished, tried again."""

import copy
import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import FrameType
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from merchants import normalization
from merchants.bells import RESOLVE
from merchants.models import Merchant, Resolution, Rule
from merchants.question import Match, Transaction
from merchants.rulesets import heuristic_for
from pave.operations import shutdown
from pave.operations.identity import worker_name
from pave.operations.patience import persist
from pave.operations.shift import LOOK_SECONDS
from pave.operations.tallies import Counter

logger = logging.getLogger(__name__)

Status = Resolution.Status

# Attempts in which the heuristic failed by itself.
MAX_ATTEMPTS = 3
# Attempts in all, when the worker did not live to the end of one: that may be the question's
# fault, and may be that of somebody who restarted the machine.
MAX_LOST = 5
# Pauses before the 2nd, 3rd, … attempt, in seconds.
PAUSES = (2, 10, 30)
# How long a worker goes on to the next question, in seconds: many fast ones, or one slow one.
TURN_SECONDS = 5.0
# How long an answer is kept in mind while the database is away. (A worker that hangs is ended by
# its cluster in any case.)
PATIENCE_SECONDS = 60.0
SWEEP_BATCH = 500


class HeuristicTimeout(BaseException):
    """The heuristic ran for longer than it may.

    No ``Exception``, so that a heuristic that catches everything does not catch this.
    """


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of the heuristic gave."""

    match: Match
    duration_ms: int


def resolve_due(*, linger: float = 0.0) -> int:
    """Work on due resolutions, one after the other, for a turn; return how many there were.

    Args:
        linger: How long to wait for the next one after the last, in seconds: questions come in
            numbers, and waking a worker takes longer than a look at the rows.
    """
    worker = worker_name()
    begun = active = time.monotonic()
    worked = 0
    while time.monotonic() - begun < TURN_SECONDS and not shutdown.requested():
        resolution = claim(worker=worker)
        if resolution is not None:
            work(resolution)
            worked += 1
            active = time.monotonic()
        elif not worked or time.monotonic() - active >= linger:
            return worked
        else:
            time.sleep(LOOK_SECONDS)
    if Resolution.objects.due(timezone.now()).exists():
        RESOLVE.ring()
    return worked


def claim(*, worker: str, pk: UUID | None = None) -> Resolution | None:
    """Take the resolution that is due longest, with a lease, and count the attempt.

    Those that only batches wait for come after all others.

    Args:
        worker: The name of this process.
        pk: Take this one, or none.
    """
    now = timezone.now()
    if not Resolution.objects.due(now).exists():
        return None
    with transaction.atomic():
        resolution = (
            Resolution.objects.due(now)
            .filter(**({"pk": pk} if pk else {}))
            .order_by("bulk", "next_attempt_at")
            .select_for_update(skip_locked=True)
            .first()
        )
        if resolution is None:
            return None
        Resolution.objects.filter(pk=resolution.pk).update(
            status=Status.RUNNING,
            attempts=F("attempts") + 1,
            started_at=now,
            lease_expires_at=now + timedelta(seconds=settings.PAVE_RESOLUTION_LEASE),
            claimed_by=worker,
        )
    resolution.refresh_from_db()
    return resolution


def work(resolution: Resolution) -> None:
    """Run the heuristic on a claimed resolution, outside any transaction, and finish it."""
    try:
        answer = _run(resolution)
    except HeuristicTimeout:
        error = f"The heuristic took longer than {settings.PAVE_HEURISTIC_TIMEOUT:g} s."
    except Exception as raised:
        logger.exception("resolution.raised resolution=%s", resolution.pk)
        error = f"The heuristic failed: {type(raised).__name__}."
    else:
        # Each time from the resolution as it was claimed: a try that fails may have changed it.
        persist(lambda: finish(copy.copy(resolution), answer), seconds=PATIENCE_SECONDS)
        return
    persist(lambda: give_up(copy.copy(resolution), error), seconds=PATIENCE_SECONDS)


def finish(resolution: Resolution, answer: Answer) -> bool:
    """Store the answer and complete everybody who waits for it, in one transaction.

    Returns:
        Whether the resolution was still this worker's.
    """
    now = timezone.now()
    match = answer.match
    with transaction.atomic():
        merchant = _merchant(match)
        resolution.answer = _as_json(match, merchant, resolution.ruleset_id)
        changed = _ours(resolution).update(
            status=Status.RESOLVED,
            answer=resolution.answer,
            merchant=merchant,
            rule=_rule(match),
            method=match.method,
            confidence=match.confidence,
            evidence=list(match.evidence),
            error="",
            duration_ms=answer.duration_ms,
            finished_at=now,
            lease_expires_at=None,
            next_attempt_at=None,
            claimed_by="",
        )
        if not changed:
            return False
        counter = Counter(now)
        counter.observe("heuristic_seconds", answer.duration_ms / 1000)
        counter.write()
        resolution.refresh_from_db()
        completed = normalization.settle(resolution, now=now)
    logger.info(
        "resolution.resolved resolution=%s method=%s ms=%s requests=%s",
        resolution.pk,
        match.method,
        answer.duration_ms,
        completed,
    )
    return True


def give_up(resolution: Resolution, error: str, *, limit: int = MAX_ATTEMPTS) -> None:
    """End an attempt that failed: another one after a pause, or the end of the resolution.

    Args:
        resolution: As it was claimed.
        error: A sentence for the client.
        limit: With so many attempts, this was the last one.
    """
    now = timezone.now()
    final = resolution.attempts >= limit
    with transaction.atomic():
        changed = _ours(resolution).update(
            status=Status.FAILED if final else Status.PENDING,
            error=error,
            finished_at=now if final else None,
            next_attempt_at=None if final else now + _pause(resolution.attempts),
            lease_expires_at=None,
            claimed_by="",
        )
        if changed and final:
            resolution.status = Status.FAILED
            resolution.error = error
            normalization.settle(resolution, now=now)
    if changed:
        logger.warning(
            "resolution.%s resolution=%s attempt=%s error=%s",
            "failed" if final else "will_retry",
            resolution.pk,
            resolution.attempts,
            error,
        )


def sweep(*, now: datetime | None = None) -> None:
    """End the attempts of dead workers, and wake workers for what is due."""
    now = now or timezone.now()
    _end_lost(Resolution.objects.stale(now).order_by("lease_expires_at")[:SWEEP_BATCH])
    due = Resolution.objects.due(now)[: settings.PAVE_WORKERS].count()
    if due:
        RESOLVE.ring(due)


def hand_back(*, worker: str) -> None:
    """End the attempts of the dead ``worker``, or of all workers of a dead cluster."""
    _end_lost(Resolution.objects.filter(status=Status.RUNNING, claimed_by__startswith=worker))


def _end_lost(lost: QuerySet[Resolution]) -> None:
    for resolution in lost:
        give_up(resolution, "The process that ran the heuristic ended.", limit=MAX_LOST)


def _ours(resolution: Resolution) -> QuerySet[Resolution]:
    """Select the resolution if it is still in the attempt that ``resolution`` shows."""
    return Resolution.objects.filter(
        pk=resolution.pk,
        status=Status.RUNNING,
        attempts=resolution.attempts,
        claimed_by=resolution.claimed_by,
    )


def _pause(attempt: int) -> timedelta:
    return timedelta(seconds=PAUSES[min(attempt, len(PAUSES)) - 1])


def _run(resolution: Resolution) -> Answer:
    heuristic = heuristic_for(resolution.ruleset)
    begun = time.monotonic()
    with _alarm(settings.PAVE_HEURISTIC_TIMEOUT):
        _burn(settings.PAVE_HEURISTIC_SECONDS)
        match = heuristic.match(_transaction(resolution.transaction))
    return Answer(match=match, duration_ms=int(1000 * (time.monotonic() - begun)))


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise HeuristicTimeout in the body after ``seconds``.

    It takes the place of django-q2's alarm for the task. Code that does not come back to Python
    hears neither; such a worker is ended by its cluster's guard.
    """

    def ring(signum: int, frame: FrameType | None) -> None:
        raise HeuristicTimeout

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _burn(seconds: float) -> None:
    """Use up so much CPU time, as the seed's heuristic did (PAVE_HEURISTIC_SECONDS)."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def _transaction(stored: dict[str, Any]) -> Transaction:
    return Transaction(
        **{
            **stored,
            "amount": Decimal(stored["amount"]) if stored["amount"] else None,
            "date": date.fromisoformat(stored["date"]) if stored["date"] else None,
        }
    )


def _merchant(match: Match) -> Merchant | None:
    """Return the row of the match's merchant, if it names one that is there."""
    try:
        pk = UUID(match.merchant_id or "")
    except ValueError:
        return None
    return Merchant.objects.filter(pk=pk).first()


def _rule(match: Match) -> Rule | None:
    """Return the row of the rule that decided, if one did and it is still there."""
    if match.rule_id and match.rule_id.isdigit():
        return Rule.objects.filter(pk=match.rule_id).first()
    return None


def _as_json(match: Match, merchant: Merchant | None, ruleset: int) -> dict[str, Any]:
    """Return the members ``merchant`` and ``match`` of the API's object."""
    return {
        "merchant": {
            "id": str(merchant.pk) if merchant else None,
            "name": match.name,
            "website": (merchant.website or None) if merchant else None,
            "wikidata": (merchant.wikidata or None) if merchant else None,
            "mcc": merchant.mccs[0] if merchant and merchant.mccs else None,
            "category": (merchant.category or None) if merchant else None,
        },
        "match": {
            "method": match.method,
            "confidence": match.confidence,
            "descriptor": match.descriptor,
            "intermediary": match.intermediary,
            "rule": match.rule_id,
            "ruleset": ruleset,
        },
    }
