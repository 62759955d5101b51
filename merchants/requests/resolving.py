"""Resolutions: claimed by workers, begun, finished, tried again."""

import copy
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import cast
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.matching.types import Transaction
from merchants.models import NormalizationRequest, Resolution, Waiter
from merchants.requests import completion, fair_share
from merchants.requests.answers import Named, write_down
from merchants.requests.heuristic_run import Answer
from merchants.wakeups import RESOLVE
from pave.core.bulk_update import update_each
from pave.operations.cluster.db_retry import DATABASE_ERRORS
from pave.operations.monitoring.counters import Counter

logger = logging.getLogger(__name__)

Status = Resolution.Status

# Attempts in which the heuristic failed by itself.
MAX_ATTEMPTS = 3
# Attempts in all, when the worker did not live to the end of one: that may be the question's
# fault, and may be that of somebody who restarted the machine.
MAX_LOST = 5
# Pauses before the 2nd, 3rd, … attempt, in seconds.
PAUSES = (2, 10, 30)
SWEEP_BATCH = 500
# How many waiters a claim looks at behind those that it asks for, if these cannot be had.
LOOKS = (200, 200)
# How long a worker goes on putting back what is outdated, in seconds, until it looks for others.
PUT_BACK_SECONDS = 2.0
# How often the sweep looks for requests that wait for nothing, in seconds, and at how many.
LOOK_FOR_LOST_EVERY = 60
LOOK_FOR_LOST_BATCH = 2000

_WRITTEN = (
    "status",
    "answer",
    "merchant",
    "rule",
    "method",
    "confidence",
    "evidence",
    "error",
    "duration_ms",
    "finished_at",
    "lease_expires_at",
    "claimed_by",
)


# The last pending resolution that the sweep of this process has looked at.
_looked_up_to: UUID | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A resolution that a worker has claimed in a client's turn.

    Args:
        resolution: As it is since.
        transaction: One of the client's that has its key.
        client: The primary key of the client, which pays for it.
    """

    resolution: Resolution
    transaction: Transaction
    client: int


def claim(*, worker: str, limit: int = 1, pk: UUID | None = None) -> list[Claim]:
    """Take the resolutions that the client whose turn it is has waited for longest, with a lease.

    Those that only rows of batches wait for come after the client's others. One that has had an
    attempt is taken alone, so that what kills its worker takes nobody with it. One alone is begun
    with its claim; several have to be begun each (``begin``). The client is charged in advance:
    call ``settle_up`` when the work is done.

    Args:
        worker: The name of this process.
        limit: So many at most.
        pk: Take this one, or none.
    """
    end = time.monotonic() + PUT_BACK_SECONDS
    while True:
        put_back = 0
        for client in fair_share.in_turn(waiting_for=pk):
            try:
                claims, outdated = _claim_of(client, worker, limit, pk)
            except DATABASE_ERRORS:
                raise
            except Exception:
                # It loses its turn, and the others do not lose theirs.
                logger.exception("resolution.not_claimed client=%s", client)
                fair_share.charge(client, settings.PAVE_HEURISTIC_TIMEOUT)
            else:
                if claims:
                    return claims
                put_back += outdated
        if not put_back:
            return []
        if time.monotonic() > end:
            RESOLVE.send()
            return []


def settle_up(*, client: int, seconds: float) -> None:
    """Charge a client with the time that was worked for it since a claim, and no more."""
    fair_share.settle_up(client, seconds, settings.PAVE_HEURISTIC_TIMEOUT)


def _claim_of(client: int, worker: str, limit: int, pk: UUID | None) -> tuple[list[Claim], int]:
    """Claim what one client is to have next; return also how many outdated ones were put back."""
    now, begun = timezone.now(), time.monotonic()
    passed = _PassedOver()
    with transaction.atomic():
        waiters = _lock_due(client, now, limit, pk, passed)
        if waiters and waiters[0].resolution.attempts:
            waiters = waiters[:1]
        else:
            waiters = list(takewhile(_is_fresh, waiters))
        alone = len(waiters) == 1
        lease = _lease(now)
        for waiter in waiters:
            resolution = waiter.resolution
            resolution.status = Status.RUNNING
            resolution.attempts += alone
            resolution.started_at = now if alone else None
            resolution.lease_expires_at = lease
            resolution.claimed_by = worker
        pks = [waiter.resolution_id for waiter in waiters]
        Resolution.objects.filter(pk__in=pks).update(
            status=Status.RUNNING,
            attempts=F("attempts") + int(alone),
            started_at=now if alone else None,
            lease_expires_at=lease,
            claimed_by=worker,
        )
        Waiter.objects.filter(resolution__in=pks).update(due_at=lease)
        if passed.outdated:
            _put_back(passed.outdated)
            fair_share.charge(client, time.monotonic() - begun)
        if waiters:
            fair_share.charge(client, settings.PAVE_HEURISTIC_TIMEOUT)
    if passed.finished:  # and a worker died before it had told everybody
        completion.admit_the_rest(passed.finished)
    claims = [
        Claim(waiter.resolution, waiter.request.as_transaction(), client) for waiter in waiters
    ]
    return claims, len(passed.outdated)


@dataclass(slots=True)
class _PassedOver:
    """What somebody waits for and nobody is to work on.

    Args:
        finished: It is answered already.
        outdated: It is for a newer ruleset to answer; locked.
    """

    finished: list[UUID] = field(default_factory=list)
    outdated: list[Resolution] = field(default_factory=list)


def _lock_due(
    client: int, now: datetime, limit: int, pk: UUID | None, passed: _PassedOver
) -> list[Waiter]:
    """Lock the resolutions that a client is to have next; return its waiters, in their order.

    No more than ``LOOKS`` are looked at, since all that is locked is kept from others meanwhile.
    """
    due = Waiter.objects.due(now).of_client(client).select_related("request")
    if pk is not None:
        due = due.filter(resolution=pk)
    newest = rulesets.current().number if rulesets.is_ours() else 0
    passed_over: list[int] = []
    for look in (limit, *LOOKS):
        waiters = list(due.exclude(pk__in=passed_over)[:look])
        rows = Resolution.objects.filter(pk__in=[waiter.resolution_id for waiter in waiters])
        rows = rows.select_for_update(skip_locked=True, no_key=True).order_by("id")
        locked = {resolution.pk: resolution for resolution in rows}
        found = []
        for waiter in waiters:
            resolution = locked.get(waiter.resolution_id)
            pending = resolution is not None and resolution.status == Status.PENDING
            if resolution is not None and pending and resolution.ruleset_id >= newest:
                waiter.resolution = resolution
                found.append(waiter)
                continue
            passed_over.append(waiter.pk)
            if resolution is None:
                continue
            if pending:
                passed.outdated.append(resolution)
            elif resolution.lease_expires_at:
                # Asked for while somebody works on it.
                Waiter.objects.filter(pk=waiter.pk).update(due_at=resolution.lease_expires_at)
            else:
                passed.finished.append(resolution.pk)
        if found or not waiters:
            return found[:limit]
    return []


def _put_back(outdated: Sequence[Resolution]) -> None:
    """Have who waits for what a newer ruleset is to answer admitted anew, some at a time.

    Args:
        outdated: Locked ones. Those of which some are left still have their waiters.
    """
    # Not in the order of ids, which would be looked for among all clients' requests.
    waiting = NormalizationRequest.objects.waiting_for(outdated).order_by()
    some = list(waiting.values_list("pk", flat=True)[: completion.SETTLE_BATCH])
    completion.admit_anew(NormalizationRequest.objects.filter(pk__in=some))
    if len(some) < completion.SETTLE_BATCH:
        pks = [resolution.pk for resolution in outdated]
        Waiter.objects.filter(resolution__in=pks).delete()
        # One that failed before and was opened again still has the requests that failed with it.
        completion.drop_unwanted(pks)


def begin(resolution: Resolution) -> bool:
    """Count the attempt, before it is made; return whether it is still this worker's to make."""
    now = timezone.now()
    if not _ours(resolution).update(
        attempts=F("attempts") + 1, started_at=now, lease_expires_at=_lease(now)
    ):
        # Asked again after a commit of which no word came back, it may have been begun.
        begun = copy.copy(resolution)
        begun.attempts += 1
        if not _ours(begun).exists():
            return False
    resolution.attempts += 1
    resolution.started_at = now
    return True


def finish(done: Sequence[tuple[Resolution, Answer]]) -> int:
    """Store answers and complete who waits for them, in one transaction; if many, not all of them.

    Args:
        done: Resolutions as they were claimed and begun, each with its answer.

    Returns:
        How many of them were still this worker's.
    """
    now = timezone.now()
    answers = {resolution.pk: (resolution, answer) for resolution, answer in done}
    with transaction.atomic():
        ruleset = rulesets.steady()
        # Locked in one order everywhere, so that nobody waits for one who waits for him.
        locked = Resolution.objects.filter(pk__in=answers).order_by("id")
        locked = locked.select_for_update(no_key=True)
        ours = [row for row in locked if _is_same_attempt(row, answers[row.pk][0])]
        named = Named.by([answers[row.pk][1].match for row in ours])
        counter = Counter(now)
        for row in ours:
            answer = answers[row.pk][1]
            write_down(answer, row, named)
            row.status = Status.RESOLVED
            row.error = ""
            row.duration_ms = answer.duration_ms
            row.finished_at = now
            row.lease_expires_at = None
            row.claimed_by = ""
            counter.observe("heuristic_seconds", answer.duration_ms / 1000)
        update_each(ours, _WRITTEN)
        counter.write()
        settled = completion.settle(ours, ruleset, now=now)
        if settled.all_of_them:
            Waiter.objects.filter(resolution__in=ours).delete()
    if not settled.all_of_them:
        completion.admit_the_rest([row.pk for row in ours])
    for row in ours:
        logger.info(
            "resolution.resolved resolution=%s method=%s ms=%s requests=%s",
            row.pk,
            row.method,
            row.duration_ms,
            settled.requests.get(row.pk, 0),
        )
    return len(ours)


def give_up(resolution: Resolution, error: str, *, limit: int = MAX_ATTEMPTS) -> None:
    """End an attempt that failed: another one after a pause, or the end of the resolution.

    Args:
        resolution: As it was claimed and begun.
        error: A sentence for the client.
        limit: With so many attempts, this was the last one.
    """
    now = timezone.now()
    final = resolution.attempts >= limit
    with transaction.atomic():
        # Before the resolution's lock, as everywhere.
        ruleset = rulesets.steady() if final else None
        changed = _ours(resolution).update(
            status=Status.FAILED if final else Status.PENDING,
            error=error,
            finished_at=now if final else None,
            lease_expires_at=None,
            claimed_by="",
        )
        waiters = Waiter.objects.filter(resolution=resolution.pk)
        all_of_them = True
        if changed and ruleset is not None:
            resolution.refresh_from_db()
            all_of_them = completion.settle([resolution], ruleset, now=now).all_of_them
            if all_of_them:
                waiters.delete()
        elif changed and not waiters.update(due_at=now + _pause(resolution.attempts)):
            completion.drop_unwanted([resolution.pk])
    if not all_of_them:
        completion.admit_the_rest([resolution.pk])
    if changed:
        logger.warning(
            "resolution.%s resolution=%s attempt=%s error=%s",
            "failed" if final else "will_retry",
            resolution.pk,
            resolution.attempts,
            error,
        )


def release(resolutions: Sequence[Resolution]) -> None:
    """Put back what was claimed and not begun, as if it had not been claimed."""
    if not resolutions:
        return
    for resolution in resolutions:
        with transaction.atomic():
            if _ours(resolution).update(
                status=Status.PENDING, lease_expires_at=None, claimed_by=""
            ):
                Waiter.objects.filter(resolution=resolution.pk).update(due_at=F("since"))
    completion.drop_unwanted([resolution.pk for resolution in resolutions])
    RESOLVE.send(min(len(resolutions), settings.PAVE_WORKERS))


def sweep(*, now: datetime | None = None) -> None:
    """End the attempts of dead workers, and wake workers for what is due."""
    now = now or timezone.now()
    _end_lost(Resolution.objects.stale(now).order_by("lease_expires_at")[:SWEEP_BATCH])
    if cache.add("resolutions:without-waiters", "looked", LOOK_FOR_LOST_EVERY):
        _make_wait(now)
    due = Waiter.objects.due(now)[: settings.PAVE_WORKERS].count()
    if due:
        RESOLVE.send(due)


def _make_wait(now: datetime) -> None:
    """Put in the queue what is to be resolved and is not in it, for the first client that asked.

    Admission does that. This is for what a cluster of the release before has admitted, or what
    somebody has changed by hand.
    """
    global _looked_up_to
    pending = Resolution.objects.filter(
        status=Status.PENDING, created_at__lt=now - timedelta(seconds=LOOK_FOR_LOST_EVERY)
    ).order_by("id")
    if _looked_up_to:
        pending = pending.filter(pk__gt=_looked_up_to)
    page = list(pending.values_list("pk", flat=True)[:LOOK_FOR_LOST_BATCH])
    _looked_up_to = page[-1] if len(page) == LOOK_FOR_LOST_BATCH else None
    waited_for = Waiter.objects.filter(resolution__in=page).order_by()
    lost = set(page) - set(waited_for.values_list("resolution", flat=True))
    asking = NormalizationRequest.objects.filter(status=NormalizationRequest.Status.PROCESSING)
    firsts = [next(iter(asking.filter(resolution=pk).order_by()[:1]), None) for pk in sorted(lost)]
    Waiter.objects.bulk_create(
        [
            Waiter(
                resolution_id=cast(UUID, request.resolution_id),
                client_id=request.client_id,
                request=request,
                bulk=request.batch_id is not None,
                since=request.created_at,
                due_at=now,
            )
            for request in firsts
            if request is not None
        ],
        ignore_conflicts=True,
    )


def requeue(*, worker: str) -> None:
    """End the attempts of the dead ``worker``, or of all workers of a dead cluster."""
    _end_lost(Resolution.objects.filter(status=Status.RUNNING, claimed_by__startswith=worker))


def _end_lost(lost: QuerySet[Resolution]) -> None:
    rows = list(lost)
    release([resolution for resolution in rows if resolution.started_at is None])
    for resolution in rows:
        if resolution.started_at is not None:
            give_up(resolution, "The process that ran the heuristic ended.", limit=MAX_LOST)


def _is_fresh(waiter: Waiter) -> bool:
    return waiter.resolution.attempts == 0


def _is_same_attempt(row: Resolution, claimed: Resolution) -> bool:
    """Return whether a locked row is in the attempt that ``claimed`` shows."""
    return (row.status, row.attempts, row.claimed_by) == (
        Status.RUNNING,
        claimed.attempts,
        claimed.claimed_by,
    )


def _ours(resolution: Resolution) -> QuerySet[Resolution]:
    """Select the resolution if it is still in the attempt that ``resolution`` shows."""
    return Resolution.objects.filter(
        pk=resolution.pk,
        status=Status.RUNNING,
        attempts=resolution.attempts,
        claimed_by=resolution.claimed_by,
    )


def _lease(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.PAVE_RESOLUTION_LEASE)


def _pause(attempt: int) -> timedelta:
    return timedelta(seconds=PAUSES[min(attempt, len(PAUSES)) - 1])
