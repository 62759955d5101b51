"""Admission's claims: which worker admits which queued requests."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from merchants.models import AdmissionClaim, NormalizationRequest
from merchants.requests import fair_share
from merchants.requests.resolutions.keys import ALONE
from merchants.wakeups import SUSPECTS
from pave.core.database import advisory_locks, idle_limit
from pave.core.database.locked_rows import LockedRows
from pave.operations.cluster.worker_names import worker_name

logger = logging.getLogger(__name__)

# How long nothing may happen while the lock on claims is held, since all others wait for it: who is
# frozen meanwhile loses it.
IDLE_SECONDS = 5.0
# An older claim belongs to a dead worker: the limits for keys are much shorter.
LEASE = timedelta(seconds=60)

# Requests that somebody else has locked, or whose resolutions.
LOCKED: LockedRows[UUID] = LockedRows()
# Clients, by primary key, of whom somebody else has locked what admission writes to: a webhook.
LOCKED_CLIENTS: LockedRows[int] = LockedRows(first_pause=1.0)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Queued requests that this worker has claimed, and the row of the claim."""

    requests: Sequence[NormalizationRequest]
    claim: AdmissionClaim
    more: bool = False  # whether a client may have more queued than its share


def claim_queued(limit: int) -> Claimed:
    """Claim queued requests, shared evenly among clients; none while another worker claims.

    Args:
        limit: How many at most.
    """
    with transaction.atomic():
        idle_limit.limit_this(IDLE_SECONDS)
        if advisory_locks.is_taken(advisory_locks.Lock.CLAIMING_REQUESTS):
            return Claimed((), AdmissionClaim())  # of one row that woke both, nothing would be left
        # Read claims before requests: a claim that ends in between has left no request queued.
        claimed, alone = _claimed_elsewhere()
        # While a request is admitted alone, which may take a while, its client's others wait.
        waiting = NormalizationRequest.objects.filter(pk__in=alone)
        but_of = set(waiting.values_list("client_id", flat=True)) if alone else set()
        but_of |= LOCKED_CLIENTS.current()
        ids, more = fair_share.next_queued(limit, but=claimed | LOCKED.current(), but_of=but_of)
        if not ids:
            return Claimed((), AdmissionClaim(), more)
        claim = _write_claim(ids)
    # In the order in which they were chosen: what is left at the end of a batch's time is the last.
    requests = NormalizationRequest.objects.in_bulk(ids)
    return Claimed([requests[pk] for pk in ids if pk in requests], claim, more)


def claim_suspect() -> Claimed | None:
    """Claim one request that is to be admitted alone, and count the attempt."""
    with transaction.atomic():
        idle_limit.limit_this(IDLE_SECONDS)
        advisory_locks.take(advisory_locks.Lock.CLAIMING_REQUESTS)
        if AdmissionClaim.objects.filter(alone=True).exists():
            return None
        suspects = NormalizationRequest.objects.suspect().exclude(pk__in=LOCKED.current())
        suspects = suspects.exclude(client__in=LOCKED_CLIENTS.current())
        clients = suspects.order_by("client_id").values_list("client_id", flat=True).distinct()
        for client in fair_share.by_use(list(clients)):
            # Fewest attempts first: one request may have failed the others with it.
            of_client = suspects.filter(client=client).order_by("admission_attempts", "id")
            request = of_client.select_for_update(skip_locked=True).first()
            if request is not None:
                request.admission_attempts += 1
                request.save(update_fields=["admission_attempts"])
                fair_share.charge(client, ALONE.wall)
                return Claimed([request], _write_claim([request.pk], alone=True))
    return None


def is_any_locked() -> bool:
    """Return whether something is left alone at present, since somebody else has locked it."""
    return bool(LOCKED.current() or LOCKED_CLIENTS.current())


def _claimed_elsewhere() -> tuple[set[UUID], set[UUID]]:
    """Return all claimed requests, and those of them that were claimed alone."""
    claimed: set[UUID] = set()
    alone: set[UUID] = set()
    for requests, is_alone in AdmissionClaim.objects.values_list("requests", "alone"):
        (alone if is_alone else claimed).update(map(UUID, requests))
    return claimed | alone, alone


def _write_claim(ids: Sequence[UUID], *, alone: bool = False) -> AdmissionClaim:
    return AdmissionClaim.objects.create(
        worker=worker_name(),
        requests=[str(pk) for pk in ids],
        alone=alone,
        created_at=timezone.now(),
    )


@transaction.atomic
def release(claim: AdmissionClaim) -> None:
    """End a claim as if it had not been made."""
    if AdmissionClaim.objects.filter(pk=claim.pk).delete()[0] and claim.alone:
        uncount_attempt(claim.requests)


def uncount_attempt(requests: Iterable[UUID | str]) -> None:
    """Give requests back the attempt that ``claim_suspect`` has counted."""
    NormalizationRequest.objects.filter(pk__in=requests).update(
        admission_attempts=F("admission_attempts") - 1
    )


def end_claims(claims: QuerySet[AdmissionClaim]) -> None:
    """Have the requests of dead workers admitted one by one: one of them may be the cause."""
    for claim in claims:
        with transaction.atomic():
            unlocked = AdmissionClaim.objects.select_for_update(skip_locked=True)
            if (found := unlocked.filter(pk=claim.pk).first()) is None:
                continue
            found.delete()
            lost = NormalizationRequest.objects.queued().filter(
                pk__in=claim.requests, admission_attempts=0
            )
            # What somebody else has locked is admitted with others again.
            free = list(lost.select_for_update(skip_locked=True).values_list("pk", flat=True))
            NormalizationRequest.objects.filter(pk__in=free).update(admission_attempts=1)
            SUSPECTS.send()
        logger.warning(
            "admission.lost",
            extra={"worker": claim.worker, "requests": len(claim.requests)},
        )


def end_stale(now: datetime) -> None:
    """End the claims that are older than ``LEASE``."""
    end_claims(AdmissionClaim.objects.filter(created_at__lt=now - LEASE))


def requeue(*, worker: str) -> None:
    """End the claims of the dead ``worker``, or of all workers of a dead cluster."""
    end_claims(AdmissionClaim.objects.filter(worker__startswith=worker))
