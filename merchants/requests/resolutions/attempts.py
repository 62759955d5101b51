"""Attempts at resolutions: begun, finished, failed, released."""

import copy
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.models import Resolution, Waiter
from merchants.requests import completion, heuristic_queue
from merchants.requests.heuristic_run import Answer
from merchants.requests.resolutions.answers import MatchedRows, apply_answer
from merchants.requests.resolutions.claims import lease
from merchants.wakeups import RESOLVE
from pave.core import clock
from pave.core.database import lock_limit
from pave.core.database.bulk_update import update_each
from pave.core.database.locked_rows import EACH_SECONDS, do_unlocked
from pave.operations.monitoring.counters import Counter

logger = logging.getLogger(__name__)

Status = Resolution.Status

# Attempts in which the heuristic itself failed.
MAX_ATTEMPTS = 3
# Attempts in all if the worker died during the last one. The transaction may be the cause, or a
# restart of the machine.
MAX_ABANDONED = 5
# Pauses before the 2nd, 3rd, … attempt, in seconds.
PAUSES = (2, 10, 30)
SWEEP_BATCH = 500
SWEEP_SECONDS = 10.0
# How long to wait for a resolution that somebody else has locked, in seconds.
LOCK_SECONDS = 2.0
# And how long to go on then with each by itself, or with each client of a failed one.
APART_SECONDS = 2.0
# After this it is tried again.
LOCKED_PAUSE = timedelta(seconds=15)
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


def begin(resolution: Resolution) -> bool:
    """Count an attempt before it is made; return whether this worker still holds the resolution."""
    now = timezone.now()
    if not _ours(resolution).update(
        attempts=F("attempts") + 1, started_at=now, lease_expires_at=lease(now)
    ):
        # After a commit whose outcome was unknown, a repeat may find it begun.
        begun = copy.copy(resolution)
        begun.attempts += 1
        if not _ours(begun).exists():
            return False
    resolution.attempts += 1
    resolution.started_at = now
    return True


def finish(done: Sequence[tuple[Resolution, Answer]]) -> int:
    """Store answers and complete waiting requests, in one transaction; if many, not all of them.

    If somebody else holds a lock for ``LOCK_SECONDS``, the locked resolutions are left out, which
    are run again when their leases have ended. Where a client that waits has a locked row, such as
    a webhook, admission completes the requests, each client's by itself. What cannot be stored even
    then is run again after ``LOCKED_PAUSE``.

    Args:
        done: Resolutions as they were claimed and begun, each with its answer.

    Returns:
        How many of them this worker still held.
    """
    by_key = {resolution.pk: (resolution, answer) for resolution, answer in done}
    finished = 0

    def store(pks: Sequence[UUID], lock_seconds: float, *, complete: bool = True) -> None:
        nonlocal finished
        some = [by_key[pk] for pk in pks]
        finished += _finish(some, lock_seconds=lock_seconds, complete=complete)

    left = do_unlocked(
        list(by_key),
        store,
        together_seconds=LOCK_SECONDS,
        apart_seconds=APART_SECONDS,
    )
    for pk in (*left.locked, *left.untried):
        logger.warning("resolution.locked", extra={"resolution": pk})
        try:
            store([pk], EACH_SECONDS, complete=False)
        except lock_limit.Locked:
            _give_up(by_key[pk][0])
    return finished


def _give_up(resolution: Resolution) -> None:
    """End an attempt that cannot be stored as if it had not been made, for now."""
    if _update_ours(
        resolution,
        status=Status.PENDING,
        attempts=Greatest(F("attempts") - 1, 0),
        lease_expires_at=None,
        claimed_by="",
    ):
        heuristic_queue.set_due([resolution.pk], timezone.now() + LOCKED_PAUSE)


def _finish(
    done: Sequence[tuple[Resolution, Answer]],
    *,
    lock_seconds: float,
    complete: bool,
) -> int:
    """Store answers; if ``complete`` is false, only of resolutions that nobody else has locked."""
    now = timezone.now()
    answers = {resolution.pk: answer for resolution, answer in done}
    with lock_limit.atomic():
        ruleset = rulesets.lock_current()
        lock_limit.limit_this(lock_seconds)
        ours = _lock_ours([resolution for resolution, _ in done], skip_locked=not complete)
        rows_of_matches = MatchedRows.by([answers[row.pk].match for row in ours])
        counter = Counter(now)
        for row in ours:
            answer = answers[row.pk]
            apply_answer(answer, row, rows_of_matches)
            row.status = Status.RESOLVED
            row.error = ""
            row.duration_ms = answer.duration_ms
            row.finished_at = now
            row.lease_expires_at = None
            row.claimed_by = ""
            counter.observe("heuristic_seconds", answer.duration_ms / 1000)
        update_each(ours, _WRITTEN)
        settled = completion.Settled({}, all_of_them=False)
        if complete:
            settled = completion.settle(ours, ruleset, counter, now=now)
        counter.write()
        if settled.all_of_them:
            Waiter.objects.filter(resolution__in=ours).unlocked().delete()
    if not settled.all_of_them:
        completion.readmit_waiting([row.pk for row in ours])
    for row in ours:
        logger.info(
            "resolution.resolved",
            extra={
                "resolution": row.pk,
                "method": row.method,
                "ms": row.duration_ms,
                "requests": settled.requests.get(row.pk, 0),
            },
        )
    return len(ours)


def fail(resolution: Resolution, error: str, *, limit: int = MAX_ATTEMPTS) -> None:
    """End a failed attempt: retry after a pause, or fail the resolution.

    If somebody else holds a lock for ``LOCK_SECONDS``, it stays as it is until its lease has ended.
    Where a waiting client has a locked row, such as a webhook, the others are notified of a final
    failure, and that one's requests are admitted again after ``LOCKED_PAUSE``.

    Args:
        resolution: As it was claimed and begun.
        error: A sentence for the client.
        limit: The number of attempts after which the resolution fails.
    """
    final = resolution.attempts >= limit
    try:
        _fail(resolution, error, final=final)
    except lock_limit.Locked:
        logger.warning("resolution.locked", extra={"resolution": resolution.pk})
        if final:
            _fail_each_client(resolution, error)


def _fail(resolution: Resolution, error: str, *, final: bool) -> None:
    now = timezone.now()
    with lock_limit.atomic():
        # Before the resolution's lock, as everywhere.
        ruleset = rulesets.lock_current() if final else None
        lock_limit.limit_this(LOCK_SECONDS)
        changed = _update_ours(
            resolution,
            status=Status.FAILED if final else Status.PENDING,
            error=error,
            finished_at=now if final else None,
            lease_expires_at=None,
            claimed_by="",
        )
        all_of_them = True
        if changed and ruleset is not None:
            failed = Resolution.objects.get(pk=resolution.pk)  # the other says whose attempt it is
            counter = Counter(now)
            settled = completion.settle([failed], ruleset, counter, now=now)
            counter.write()
            all_of_them = settled.all_of_them
            if all_of_them:
                Waiter.objects.filter(resolution=resolution.pk).unlocked().delete()
        elif changed:
            due_at = now + _pause(resolution.attempts)
            if not heuristic_queue.set_due([resolution.pk], due_at):
                heuristic_queue.drop_unawaited([resolution.pk])
    if not all_of_them:
        completion.readmit_waiting([resolution.pk])
    if changed:
        logger.warning(
            "resolution.failed" if final else "resolution.will_retry",
            extra={"resolution": resolution.pk, "attempt": resolution.attempts, "error": error},
        )


def _fail_each_client(resolution: Resolution, error: str) -> None:
    """Fail a resolution, and then the requests of each client by itself."""
    now = timezone.now()
    if not _update_ours(
        resolution,
        status=Status.FAILED,
        error=error,
        finished_at=now,
        lease_expires_at=None,
        claimed_by="",
    ):
        return
    logger.warning(
        "resolution.failed",
        extra={"resolution": resolution.pk, "attempt": resolution.attempts, "error": error},
    )
    waiters = Waiter.objects.filter(resolution=resolution.pk)

    def fail_requests(clients: Sequence[int], lock_seconds: float) -> None:
        with lock_limit.atomic():
            ruleset = rulesets.lock_current()
            lock_limit.limit_this(lock_seconds)
            failed = Resolution.objects.filter(pk=resolution.pk, status=Status.FAILED)
            locked = list(failed.select_for_update(no_key=True))
            # None if it was reopened for a client that has just posted: all wait again.
            counter = Counter(now)
            settled = completion.settle(locked, ruleset, counter, now=now, clients=clients)
            counter.write()
            if locked and settled.all_of_them:
                waiters.filter(client__in=clients).unlocked().delete()

    do_unlocked(
        # In any order: there may be no time for all.
        list(waiters.order_by("?").values_list("client_id", flat=True)),
        fail_requests,
        together_seconds=None,
        apart_seconds=APART_SECONDS,
    )
    failed = Resolution.objects.filter(pk=resolution.pk, status=Status.FAILED)
    if failed.exists() and not heuristic_queue.set_due([resolution.pk], now + LOCKED_PAUSE):
        completion.readmit_waiting([resolution.pk])  # those whose waiters were lost


def release(resolutions: Sequence[Resolution]) -> None:
    """Release resolutions that were claimed and not begun, as if they had not been claimed.

    Those that somebody else has locked for ``LOCK_SECONDS`` are due when their leases have ended.
    """
    if not resolutions:
        return
    try:
        _release(resolutions, lock_seconds=LOCK_SECONDS)
    except lock_limit.Locked:
        logger.warning("resolution.locked")
        _release(resolutions, skip_locked=True)
    heuristic_queue.drop_unawaited([resolution.pk for resolution in resolutions])
    RESOLVE.send(min(len(resolutions), settings.PAVE_WORKERS))


def _release(
    resolutions: Sequence[Resolution],
    *,
    lock_seconds: float | None = None,
    skip_locked: bool = False,
) -> None:
    with lock_limit.atomic(lock_seconds=lock_seconds):
        ours = [row.pk for row in _lock_ours(resolutions, skip_locked=skip_locked)]
        Resolution.objects.filter(pk__in=ours).update(
            status=Status.PENDING, lease_expires_at=None, claimed_by=""
        )
        heuristic_queue.set_due(ours, F("since"))


def sweep(*, now: datetime | None = None) -> None:
    """End the attempts of dead workers, and wake workers for due resolutions."""
    ended_by = now or clock.leases_ended_by(settings.PAVE_RESOLUTION_LEASE)
    now = now or timezone.now()
    _end_abandoned(Resolution.objects.stale(ended_by).order_by("lease_expires_at")[:SWEEP_BATCH])
    if cache.add("resolutions:without-waiters", "checked", heuristic_queue.CHECK_SECONDS):
        heuristic_queue.restore_missing(now)
    due = Waiter.objects.due(now).order_by()[: settings.PAVE_WORKERS].count()
    if due:
        RESOLVE.send(due)


def requeue(*, worker: str) -> None:
    """End the attempts of the dead ``worker``, or of all workers of a dead cluster."""
    _end_abandoned(Resolution.objects.filter(status=Status.RUNNING, claimed_by__startswith=worker))


def _end_abandoned(lost: QuerySet[Resolution]) -> None:
    with transaction.atomic():
        # What somebody else has locked is left to the next sweep.
        rows = list(lost.select_for_update(skip_locked=True, no_key=True))
    release([resolution for resolution in rows if resolution.started_at is None])
    end = time.monotonic() + SWEEP_SECONDS
    for resolution in rows:
        if resolution.started_at is not None:
            fail(resolution, "The process that ran the heuristic ended.", limit=MAX_ABANDONED)
        if time.monotonic() > end:
            break  # somebody keeps locks that each of them waits for; the next sweep goes on


def _update_ours(resolution: Resolution, **values: Any) -> int:
    """Change a resolution if its attempt goes on, and nobody else locks it for ``LOCK_SECONDS``."""
    try:
        with lock_limit.atomic(lock_seconds=LOCK_SECONDS):
            return _ours(resolution).update(**values)
    except lock_limit.Locked:
        logger.warning("resolution.locked", extra={"resolution": resolution.pk})
        return 0


def _lock_ours(resolutions: Sequence[Resolution], *, skip_locked: bool) -> list[Resolution]:
    """Lock resolutions, as far as they are still in the attempts that ``resolutions`` show."""
    claimed = {resolution.pk: resolution for resolution in resolutions}
    # Locked in the same order everywhere, to avoid deadlocks.
    rows = Resolution.objects.filter(pk__in=claimed).order_by("id")
    locked = rows.select_for_update(no_key=True, skip_locked=skip_locked)
    return [row for row in locked if _is_same_attempt(row, claimed[row.pk])]


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


def _pause(attempt: int) -> timedelta:
    return timedelta(seconds=PAUSES[min(attempt, len(PAUSES)) - 1])
