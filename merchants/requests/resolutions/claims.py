"""Workers claim resolutions, fairly among clients."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.matching.types import Transaction
from merchants.models import NormalizationRequest, Resolution, Waiter
from merchants.requests import completion, fair_share, heuristic_queue
from merchants.wakeups import RESOLVE
from pave.operations.cluster.db_retry import DATABASE_ERRORS

logger = logging.getLogger(__name__)

Status = Resolution.Status

# How many more waiters a claim examines if the first ones cannot be claimed.
LOOK_AHEAD = (200, 200)
# How long a worker goes on requeuing outdated requests, in seconds.
REQUEUE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A resolution that a worker has claimed for a client.

    Args:
        resolution: The row, as claimed.
        transaction: A transaction of the client with its key.
        client: The primary key of the client that is charged.
    """

    resolution: Resolution
    transaction: Transaction
    client: int


def claim(*, worker: str, limit: int = 1, pk: UUID | None = None) -> list[Claim]:
    """Claim, with a lease, the resolutions that the next client has waited for longest.

    Those that only rows of batches wait for come after the client's others. One that has had an
    attempt is claimed alone, since it may kill its worker. A single one is begun with its claim; of
    several each must be begun (``begin``). The client is charged in advance: call ``charge_actual``
    when the work is done.

    Args:
        worker: The name of this process.
        limit: How many at most.
        pk: Claim only this one.
    """
    end = time.monotonic() + REQUEUE_SECONDS
    while True:
        requeued = 0
        for client in fair_share.clients_due(waiting_for=pk):
            try:
                claims, outdated = _claim_of(client, worker, limit, pk)
            except DATABASE_ERRORS:
                raise
            except Exception:
                # This client is skipped; the others are not affected.
                logger.exception("resolution.not_claimed", extra={"client": client})
                fair_share.charge(client, settings.PAVE_HEURISTIC_TIMEOUT)
            else:
                if claims:
                    return claims
                requeued += outdated
        if not requeued:
            return []
        if time.monotonic() > end:
            RESOLVE.send()
            return []


def charge_actual(*, client: int, seconds: float) -> None:
    """Replace what a claim charged in advance by the time actually used."""
    fair_share.charge_actual(client, seconds, settings.PAVE_HEURISTIC_TIMEOUT)


def _claim_of(client: int, worker: str, limit: int, pk: UUID | None) -> tuple[list[Claim], int]:
    """Claim one client's next resolutions; return also how many outdated ones were requeued."""
    now, begun = timezone.now(), time.monotonic()
    passed = _PassedOver()
    with transaction.atomic():  # waits for no lock but a charge's, which is limited
        waiters = _lock_due(client, now, limit, pk, passed)
        if waiters and waiters[0].resolution.attempts:
            waiters = waiters[:1]
        else:
            waiters = list(takewhile(_is_fresh, waiters))
        alone = len(waiters) == 1
        expires_at = lease(now)
        for waiter in waiters:
            resolution = waiter.resolution
            resolution.status = Status.RUNNING
            resolution.attempts += alone
            resolution.started_at = now if alone else None
            resolution.lease_expires_at = expires_at
            resolution.claimed_by = worker
        pks = [waiter.resolution_id for waiter in waiters]
        Resolution.objects.filter(pk__in=pks).update(
            status=Status.RUNNING,
            attempts=F("attempts") + int(alone),
            started_at=now if alone else None,
            lease_expires_at=expires_at,
            claimed_by=worker,
        )
        Waiter.objects.filter(resolution__in=pks).unlocked().update(due_at=expires_at)
        if passed.outdated:
            _requeue_outdated(passed.outdated)
            fair_share.charge(client, time.monotonic() - begun)
        if waiters:
            fair_share.charge(client, settings.PAVE_HEURISTIC_TIMEOUT)
    if passed.finished:  # and a worker died before it had completed all requests
        completion.readmit_waiting(passed.finished)
    claims = [
        Claim(waiter.resolution, waiter.request.as_transaction(), client) for waiter in waiters
    ]
    return claims, len(passed.outdated)


@dataclass(slots=True)
class _PassedOver:
    """Resolutions with waiters that must not be run.

    Args:
        finished: Those that are answered already.
        outdated: Those of an older ruleset; locked.
    """

    finished: list[UUID] = field(default_factory=list)
    outdated: list[Resolution] = field(default_factory=list)


def _lock_due(
    client: int, now: datetime, limit: int, pk: UUID | None, passed: _PassedOver
) -> list[Waiter]:
    """Lock a client's next resolutions; return its waiters, in queue order.

    ``LOOK_AHEAD`` bounds how many are locked, since others cannot claim these meanwhile.
    """
    due = Waiter.objects.due(now).of_client(client).select_related("request")
    due = due.select_for_update(skip_locked=True, of=("self",))
    if pk is not None:
        due = due.filter(resolution=pk)
    newest = rulesets.current().number if rulesets.uses_rulesets() else 0
    passed_over: list[int] = []
    for look in (limit, *LOOK_AHEAD):
        waiters = list(due.exclude(pk__in=passed_over)[:look])
        rows = Resolution.objects.filter(pk__in=[waiter.resolution_id for waiter in waiters])
        rows = rows.select_for_update(skip_locked=True, no_key=True).order_by("id")
        locked = {resolution.pk: resolution for resolution in rows}
        claimable = []
        for waiter in waiters:
            resolution = locked.get(waiter.resolution_id)
            pending = resolution is not None and resolution.status == Status.PENDING
            if resolution is not None and pending and resolution.ruleset_id >= newest:
                waiter.resolution = resolution
                claimable.append(waiter)
                continue
            passed_over.append(waiter.pk)
            if resolution is None:
                continue
            if pending:
                passed.outdated.append(resolution)
            elif resolution.lease_expires_at:
                # Added while a worker runs it.
                Waiter.objects.filter(pk=waiter.pk).update(due_at=resolution.lease_expires_at)
            else:
                passed.finished.append(resolution.pk)
        if claimable or not waiters:
            return claimable[:limit]
    return []


def _requeue_outdated(outdated: Sequence[Resolution]) -> None:
    """Readmit the requests that wait for outdated resolutions, in pages.

    Args:
        outdated: Locked ones. Those with requests left keep their waiters; requests that somebody
            else has locked are left to the sweep (``heuristic_queue.restore_missing``).
    """
    # Not ordered by id, which would scan all clients' requests.
    waiting = NormalizationRequest.objects.waiting_for(outdated).order_by()
    unlocked = waiting.select_for_update(skip_locked=True, of=("self",))
    some = list(unlocked.values_list("pk", flat=True)[: completion.SETTLE_BATCH])
    completion.readmit(NormalizationRequest.objects.filter(pk__in=some))
    if len(some) < completion.SETTLE_BATCH:
        pks = [resolution.pk for resolution in outdated]
        Waiter.objects.filter(resolution__in=pks).unlocked().delete()
        # A reopened one still has the requests that failed with it.
        heuristic_queue.drop_unawaited(pks)


def _is_fresh(waiter: Waiter) -> bool:
    return waiter.resolution.attempts == 0


def lease(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.PAVE_RESOLUTION_LEASE)
