"""Resolutions are claimed by workers, clients in turn."""

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

# How many waiters a claim looks at behind those that it asks for, if these cannot be had.
LOOK_AHEAD = (200, 200)
# How long a worker goes on requeuing what is outdated, in seconds, until it looks for others.
REQUEUE_SECONDS = 2.0


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
    call ``charge_actual`` when the work is done.

    Args:
        worker: The name of this process.
        limit: So many at most.
        pk: Take this one, or none.
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
                # It loses its turn, and the others do not lose theirs.
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
    """Charge a client with the time that was worked for it since a claim, and no more."""
    fair_share.charge_actual(client, seconds, settings.PAVE_HEURISTIC_TIMEOUT)


def _claim_of(client: int, worker: str, limit: int, pk: UUID | None) -> tuple[list[Claim], int]:
    """Claim what one client is to have next; return also how many outdated ones were requeued."""
    now, begun = timezone.now(), time.monotonic()
    passed = _PassedOver()
    with transaction.atomic():
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
        Waiter.objects.filter(resolution__in=pks).update(due_at=expires_at)
        if passed.outdated:
            _requeue_outdated(passed.outdated)
            fair_share.charge(client, time.monotonic() - begun)
        if waiters:
            fair_share.charge(client, settings.PAVE_HEURISTIC_TIMEOUT)
    if passed.finished:  # and a worker died before it had told everybody
        completion.readmit_waiting(passed.finished)
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

    ``LOOK_AHEAD`` bounds how many are looked at: what is locked is kept from others meanwhile.
    """
    due = Waiter.objects.due(now).of_client(client).select_related("request")
    if pk is not None:
        due = due.filter(resolution=pk)
    newest = rulesets.current().number if rulesets.uses_rulesets() else 0
    passed_over: list[int] = []
    for look in (limit, *LOOK_AHEAD):
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


def _requeue_outdated(outdated: Sequence[Resolution]) -> None:
    """Have who waits for what a newer ruleset is to answer admitted anew, some at a time.

    Args:
        outdated: Locked ones. Those of which some are left still have their waiters.
    """
    # Not in the order of ids, which would be looked for among all clients' requests.
    waiting = NormalizationRequest.objects.waiting_for(outdated).order_by()
    some = list(waiting.values_list("pk", flat=True)[: completion.SETTLE_BATCH])
    completion.readmit(NormalizationRequest.objects.filter(pk__in=some))
    if len(some) < completion.SETTLE_BATCH:
        pks = [resolution.pk for resolution in outdated]
        Waiter.objects.filter(resolution__in=pks).delete()
        # One that failed before and was opened again still has the requests that failed with it.
        heuristic_queue.drop_unawaited(pks)


def _is_fresh(waiter: Waiter) -> bool:
    return waiter.resolution.attempts == 0


def lease(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.PAVE_RESOLUTION_LEASE)
