"""Requests are admitted: read, keyed, and tied to the resolutions that answer them."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.matching.heuristic import Heuristic
from merchants.matching.reading import read
from merchants.models import (
    AdmissionClaim,
    NormalizationRequest,
    Resolution,
    Ruleset,
)
from merchants.requests import batches, fair_share
from merchants.requests.completion import complete, fail
from merchants.requests.resolutions.keys import (
    ALONE,
    IN_A_BATCH,
    KeyLimits,
    StoredKey,
    key_of,
)
from merchants.requests.resolutions.lookup import find_or_create
from merchants.wakeups import ADMIT, SUSPECTS
from pave.core import advisory_locks, idle_limit
from pave.core.along_index import exists_along
from pave.core.bulk_update import update_each
from pave.core.locked_rows import LockedRows
from pave.operations.cluster.db_retry import DATABASE_ERRORS, retry_while_unavailable
from pave.operations.cluster.work_loop import WorkLoop
from pave.operations.cluster.worker_names import worker_name
from pave.operations.cluster.worker_slots import WorkerSlots
from pave.operations.monitoring.counters import Counter

logger = logging.getLogger(__name__)
Status = NormalizationRequest.Status
ADMIT_BATCH = 200
# How long the keys of one batch may take, in seconds: the limit once each of its clients has had
# one, and the limit in any case. Whoever waits behind the batch must not wait for long.
KEYING_SECONDS = 0.5
MAX_KEYING_SECONDS = 4.0
# Attempts to admit a request alone, each with more time.
MAX_ALONE = 3
# How long a worker goes on with such requests, in seconds.
SUSPECTS_SECONDS = 2.0
# How long to retry a release while the database is unavailable, in seconds; then the sweep does it.
RETRY_SECONDS = 30.0
# How long nothing may happen while the lock on claims is held: all others wait for it.
CLAIM_IDLE_SECONDS = 5.0
# An older claim belongs to a dead worker: the limits for keys are much shorter.
CLAIM_LEASE = timedelta(seconds=60)

SLOTS = WorkerSlots()
LOCKED: LockedRows[UUID] = LockedRows()


def admit() -> int:
    """Admit queued requests, batch by batch, for a slice of time; return how many there were."""
    with SLOTS.acquire() as acquired:
        return _admit_for_a_slice() if acquired else 0


def _admit_for_a_slice() -> int:
    loop = WorkLoop(ADMIT, seconds=settings.PAVE_TASK_SLICE)
    admitted = 0
    while loop.should_continue():
        count, more = _admit_batch(ADMIT_BATCH)
        admitted += count
        if count:
            loop.touch()
        # With few requests, wait for more before the next poll: a batch costs nearly the same
        # whatever its size. With none, all that were claimed are locked.
        if not count or (count < ADMIT_BATCH // 4 and not more):
            loop.pause()
    ADMIT.mark_idle()
    # What is locked is left to the sweep.
    if loop.was_busy or (fair_share.is_any_admissible() and not LOCKED.current()):
        ADMIT.send()
    return admitted


@dataclass(frozen=True, slots=True)
class _Claimed:
    """Queued requests that this worker has claimed, and the row of the claim."""

    requests: Sequence[NormalizationRequest]
    claim: AdmissionClaim
    more: bool = False  # whether a client may have more queued than its share


@dataclass(slots=True)
class _Keyed:
    """Requests by key, and those without a key, each with its error."""

    requests_by_key: dict[StoredKey, list[NormalizationRequest]] = field(default_factory=dict)
    unkeyed: list[NormalizationRequest] = field(default_factory=list)
    # Readmitted ones, which are counted already.
    again: set[UUID] = field(default_factory=set)


def admit_batch(*, limit: int = ADMIT_BATCH) -> int:
    """Give up to ``limit`` queued requests their resolutions, and complete what is cached.

    Clients take turns. A request on which the heuristic fails must not affect the others: keys are
    computed outside any transaction, and a request that gets no key, or ends the process, is set
    aside for ``admit_suspects``.

    Returns:
        How many requests were examined, and not locked by somebody else.
    """
    return _admit_batch(limit)[0]


def _admit_batch(limit: int) -> tuple[int, bool]:
    """Do what ``admit_batch`` does; also return whether a client may have more than its share."""
    if not fair_share.is_any_admissible():
        return 0, False
    claimed = _claim(limit)
    if not claimed.requests:
        return 0, claimed.more
    ruleset = rulesets.current()
    heuristic = rulesets.heuristic_for(ruleset.number)
    keyed = _Keyed()
    begun = time.monotonic()
    # Clients with a request that got no key: their other requests wait for the next batch, or are
    # set aside too if it timed out, since each of them may do the same.
    held_up: dict[int, bool] = {}
    left: list[NormalizationRequest] = []
    for number, request in _in_rounds(claimed.requests):
        seconds = KEYING_SECONDS if number else MAX_KEYING_SECONDS
        if request.client_id in held_up or time.monotonic() - begun > seconds:
            left.append(request)
        elif error := _key(request, heuristic, IN_A_BATCH, keyed):
            held_up[request.client_id] = isinstance(error, TimeoutError)
    keyed.unkeyed += [request for request in left if held_up.get(request.client_id)]
    locked = _admit_claimed(claimed.claim, keyed, ruleset)
    return len(claimed.requests) - len(locked), claimed.more


def _in_rounds(
    requests: Sequence[NormalizationRequest],
) -> Iterator[tuple[int, NormalizationRequest]]:
    """Yield the first request of each client, then the second of each, and so on, numbered."""
    lines: dict[int, list[NormalizationRequest]] = {}
    for request in requests:
        lines.setdefault(request.client_id, []).append(request)
    for number, rank in enumerate(zip_longest(*lines.values())):
        yield from ((number, request) for request in rank if request is not None)


def admit_suspects() -> int:
    """Admit, one by one, requests whose admission with others failed; return their number.

    Each attempt is counted before it is made, and after ``MAX_ALONE`` the request has failed. It
    runs in a worker of the heuristic's queue, so that it does not delay the admission of others; in
    one worker at a time and for a short slice, so that it does not delay answers. Clients take
    turns.
    """
    admitted = 0
    begun = end = time.monotonic()
    end += SUSPECTS_SECONDS
    while begun < end and (claimed := _claim_suspect()) is not None:
        request = claimed.requests[0]
        ruleset = rulesets.current()
        keyed = _Keyed()
        if request.admission_attempts <= 1 + MAX_ALONE:
            _key(request, rulesets.heuristic_for(ruleset.number), ALONE, keyed)
        else:
            request.error = "The heuristic could not read it: every attempt was cut off."
            keyed.unkeyed.append(request)
        _admit_claimed(claimed.claim, keyed, ruleset)
        admitted += 1
        now = time.monotonic()
        fair_share.charge_actual(request.client_id, now - begun, ALONE.wall)
        begun = now
    if begun >= end and exists_along(NormalizationRequest.objects.suspect(), "id"):
        SUSPECTS.send()
    return admitted


def _key(
    request: NormalizationRequest, heuristic: Heuristic, limits: KeyLimits, keyed: _Keyed
) -> Exception | None:
    """Read a request and compute its key, and add it to ``keyed``; return the error, if any."""
    if request.reading is not None:
        keyed.again.add(request.pk)
    try:
        request.reading = read(request.as_transaction()).to_json()
        key = key_of(request, heuristic, limits)
    except Exception as error:
        logger.exception("admission.no_key", extra={"request": request.pk})
        request.error = f"The heuristic could not read it: {type(error).__name__}."
        keyed.unkeyed.append(request)
        return error
    keyed.requests_by_key.setdefault(key, []).append(request)
    return None


def _admit_claimed(claim: AdmissionClaim, keyed: _Keyed, ruleset: Ruleset) -> set[UUID]:
    """Admit what was claimed; if that fails, have its requests admitted one by one.

    Returns:
        Those that are left, since somebody else has locked them or their resolutions.
    """
    try:
        locked = _admit(claim, keyed, ruleset)
    except DATABASE_ERRORS:
        retry_while_unavailable(lambda: _release(claim), seconds=RETRY_SECONDS)
        raise
    except Exception:
        logger.exception("admission.failed", extra={"claim": claim.pk})
        _end_claims(AdmissionClaim.objects.filter(pk=claim.pk))
        return set()
    if for_long := LOCKED.add(locked):
        logger.warning("admission.locked", extra={"requests": for_long})
    return locked


def _admit(claim: AdmissionClaim, keyed: _Keyed, ruleset: Ruleset) -> set[UUID]:
    """Assign the requests that are still queued to their resolutions, in one transaction."""
    now = timezone.now()
    with transaction.atomic():
        if rulesets.lock_current().number != ruleset.number:
            _release(claim)  # a newer ruleset was published since the keys were computed
            return set()
        AdmissionClaim.objects.filter(pk=claim.pk).delete()
        asking = [request for requests in keyed.requests_by_key.values() for request in requests]
        claimed = {request.pk for request in (*asking, *keyed.unkeyed)}
        queued = set(
            NormalizationRequest.objects.queued()
            .filter(pk__in=claimed)
            .select_for_update(skip_locked=True)
            .order_by("id")
            .values_list("pk", flat=True)
        )
        locked = claimed - queued  # or canceled meanwhile
        requests_by_key = {
            key: still
            for key, requests in keyed.requests_by_key.items()
            if (still := [request for request in requests if request.pk in queued])
        }
        failed = _set_aside([request for request in keyed.unkeyed if request.pk in queued])
        # Locks are not waited for: a transaction that somebody forgot to end, or a worker that
        # stores an answer, must not stop the admission of others.
        resolutions = find_or_create(requests_by_key, ruleset, now, skip_locked=True)
        cached: list[NormalizationRequest] = []
        waiting: list[NormalizationRequest] = []
        for key, requests in requests_by_key.items():
            resolution = resolutions.get(key.text)
            if resolution is None:
                locked |= {request.pk for request in requests}
                continue
            for request in requests:
                request.resolution = resolution
                request.status = Status.PROCESSING
                request.error = resolution.error
            if resolution.is_resolved:
                cached += requests
            elif resolution.status == Resolution.Status.FAILED:
                failed += requests
            else:
                waiting += requests
        if claim.alone:
            _uncount_attempt(locked & queued)
        update_each(waiting, ("status", "resolution", "reading"))
        complete(cached, now)
        fail(failed, now)
        batches.count([*cached, *failed], now=now)
        counter = Counter(now)
        known = sum(request.pk not in keyed.again for request in cached)
        unknown = sum(request.pk not in keyed.again for request in (*waiting, *failed))
        counter.add("requests", "queued", count=known + unknown)
        counter.add("memory", "known", count=known)
        counter.add("memory", "waiting", count=unknown)
        counter.write()
    return locked


def _set_aside(unkeyed: Sequence[NormalizationRequest]) -> list[NormalizationRequest]:
    """Leave requests without a key to ``admit_suspects``; return those after their last attempt."""
    fresh = [request.pk for request in unkeyed if request.admission_attempts == 0]
    if fresh:
        NormalizationRequest.objects.filter(pk__in=fresh).update(admission_attempts=1)
    if unkeyed:
        SUSPECTS.send()
    return [request for request in unkeyed if request.admission_attempts > MAX_ALONE]


def sweep(*, now: datetime | None = None) -> None:
    """Wake admission for requests that wait, and release the claims of dead workers."""
    now = now or timezone.now()
    _end_claims(AdmissionClaim.objects.filter(created_at__lt=now - CLAIM_LEASE))
    if fair_share.is_any_admissible():
        ADMIT.send()
    if exists_along(NormalizationRequest.objects.suspect(), "id"):
        SUSPECTS.send()


def requeue(*, worker: str) -> None:
    """End the claims of the dead ``worker``, or of all workers of a dead cluster."""
    _end_claims(AdmissionClaim.objects.filter(worker__startswith=worker))


@transaction.atomic
def _release(claim: AdmissionClaim) -> None:
    """End a claim as if it had not been made."""
    if AdmissionClaim.objects.filter(pk=claim.pk).delete()[0] and claim.alone:
        _uncount_attempt(claim.requests)


def _uncount_attempt(requests: Iterable[UUID | str]) -> None:
    NormalizationRequest.objects.filter(pk__in=requests).update(
        admission_attempts=F("admission_attempts") - 1
    )


def _end_claims(claims: QuerySet[AdmissionClaim]) -> None:
    """Have the requests of dead workers admitted one by one: one of them may be the cause."""
    for claim in claims:
        with transaction.atomic():
            if not AdmissionClaim.objects.filter(pk=claim.pk).delete()[0]:
                continue
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


def _claim(limit: int) -> _Claimed:
    """Claim queued requests, shared evenly among clients."""
    with transaction.atomic():
        _take_turn()
        # Read claims before requests: a claim that ends in between has left no request queued.
        claimed, alone = _claimed_elsewhere()
        # While a request is admitted alone, which may take a while, its client's others wait.
        waiting = NormalizationRequest.objects.filter(pk__in=alone)
        but_of = set(waiting.values_list("client_id", flat=True)) if alone else set()
        ids, more = fair_share.next_queued(limit, but=claimed | LOCKED.current(), but_of=but_of)
        if not ids:
            return _Claimed((), AdmissionClaim(), more)
        claim = _write_claim(ids)
    requests = NormalizationRequest.objects.filter(pk__in=ids).order_by("id")
    return _Claimed(list(requests), claim, more)


def _claim_suspect() -> _Claimed | None:
    """Claim one request that is to be admitted alone, and count the attempt."""
    with transaction.atomic():
        _take_turn()
        if AdmissionClaim.objects.filter(alone=True).exists():
            return None
        suspects = NormalizationRequest.objects.suspect().exclude(pk__in=LOCKED.current())
        clients = suspects.order_by("client_id").values_list("client_id", flat=True).distinct()
        for client in fair_share.by_use(list(clients)):
            # Fewest attempts first: one request may have failed the others with it.
            of_client = suspects.filter(client=client).order_by("admission_attempts", "id")
            request = of_client.select_for_update(skip_locked=True).first()
            if request is not None:
                request.admission_attempts += 1
                request.save(update_fields=["admission_attempts"])
                fair_share.charge(client, ALONE.wall)
                return _Claimed([request], _write_claim([request.pk], alone=True))
    return None


def _take_turn() -> None:
    """Wait for the lock on claims; who is frozen while holding it loses it soon."""
    idle_limit.limit_this(CLAIM_IDLE_SECONDS)
    advisory_locks.take(advisory_locks.Lock.CLAIMING_REQUESTS)


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
