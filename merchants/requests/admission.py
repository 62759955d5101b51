"""Requests are admitted: read, keyed, and tied to the resolutions that answer them."""

import logging
import random
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, zip_longest
from uuid import UUID

from django.conf import settings
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
from merchants.requests import admission_claims, batches, fair_share
from merchants.requests.admission_claims import (
    LEASE,
    claim_queued,
    claim_suspect,
    end_claims,
    end_stale,
    release,
    uncount_attempt,
)
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
from pave.core import clock
from pave.core.database import lock_limit
from pave.core.database.along_index import exists_along
from pave.core.database.bulk_update import update_each
from pave.core.database.locked_rows import do_unlocked
from pave.operations.cluster import memory_limit
from pave.operations.cluster.db_retry import DATABASE_ERRORS, retry_while_unavailable
from pave.operations.cluster.work_loop import WorkLoop, listening
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
# How long it waits for a lock, in seconds, and then goes on with each client: others wait behind.
LOCK_SECONDS = 1.0
APART_SECONDS = 2.0
# How long to retry a release while the database is unavailable, in seconds; then the sweep does it.
RETRY_SECONDS = 30.0

SLOTS = WorkerSlots()


def admit() -> int:
    """Admit queued requests, batch by batch, for a slice of time; return how many there were."""
    with SLOTS.acquire() as acquired, listening():
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
    if loop.was_busy or (fair_share.is_any_admissible() and not admission_claims.is_any_locked()):
        ADMIT.send()
    return admitted


@dataclass(slots=True)
class _Keyed:
    """Requests by key, and those without a key, each with its error."""

    requests_by_key: dict[StoredKey, list[NormalizationRequest]] = field(default_factory=dict)
    unkeyed: list[NormalizationRequest] = field(default_factory=list)
    # Readmitted ones, which are counted already.
    again: set[UUID] = field(default_factory=set)

    def all(self) -> list[NormalizationRequest]:
        return [*chain.from_iterable(self.requests_by_key.values()), *self.unkeyed]

    def of(self, clients: Collection[int]) -> "_Keyed":
        """Return those of some clients."""
        requests_by_key = {
            key: theirs
            for key, requests in self.requests_by_key.items()
            if (theirs := [request for request in requests if request.client_id in clients])
        }
        unkeyed = [request for request in self.unkeyed if request.client_id in clients]
        return _Keyed(requests_by_key, unkeyed, self.again)


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
    if not fair_share.is_any_queued():
        return 0, False
    claimed = claim_queued(limit)
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
    first_without_a_turn: int | None = None
    for number, request in _in_rounds(claimed.requests):
        seconds = KEYING_SECONDS if number else MAX_KEYING_SECONDS
        if request.client_id in held_up or time.monotonic() - begun > seconds:
            left.append(request)
            if not number and first_without_a_turn is None:
                first_without_a_turn = request.client_id
        elif error := _key(request, heuristic, IN_A_BATCH, keyed):
            held_up[request.client_id] = isinstance(error, TimeoutError)
    if first_without_a_turn is not None:
        fair_share.begin_next_with(first_without_a_turn)
    keyed.unkeyed += [request for request in left if held_up.get(request.client_id)]
    locked = _admit_claimed(claimed.claim, keyed, ruleset)
    memory_limit.note_loaded(ADMIT.task)
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
    while begun < end and (claimed := claim_suspect()) is not None:
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
        locked = _admit_unlocked(claim, keyed, ruleset)
    except DATABASE_ERRORS:
        retry_while_unavailable(lambda: release(claim), seconds=RETRY_SECONDS)
        raise
    except Exception:
        logger.exception("admission.failed", extra={"claim": claim.pk})
        end_claims(AdmissionClaim.objects.filter(pk=claim.pk))
        return set()
    if for_long := admission_claims.LOCKED.add(locked):
        logger.warning("admission.locked", extra={"requests": for_long})
    return locked


def _admit_unlocked(claim: AdmissionClaim, keyed: _Keyed, ruleset: Ruleset) -> set[UUID]:
    """Admit what was claimed together, and apart from it each client of whom locks are not got.

    Somebody may have locked a client's webhook, so that no event can be published to it.
    """
    locked: set[UUID] = set()
    admitted = False

    def admit(clients: Sequence[int], lock_seconds: float) -> None:
        nonlocal admitted, locked
        locked |= _admit(claim, keyed.of(clients), ruleset, lock_seconds=lock_seconds)
        admitted = True

    clients = {request.client_id for request in keyed.all()}
    left = do_unlocked(
        random.sample(sorted(clients), len(clients)),
        admit,
        known=admission_claims.LOCKED_CLIENTS.known(),
        together_seconds=LOCK_SECONDS,
        apart_seconds=APART_SECONDS,
    )
    if admission_claims.LOCKED_CLIENTS.add(left.locked):
        logger.warning("admission.locked", extra={"clients": left.locked})
    if not admitted:
        release(claim)
    # The untried are claimed again, without those that are known by now.
    return locked | {request.pk for request in keyed.of(left.locked).all()}


def _admit(
    claim: AdmissionClaim, keyed: _Keyed, ruleset: Ruleset, *, lock_seconds: float
) -> set[UUID]:
    """Assign the requests that are still queued to their resolutions, in one transaction."""
    now = timezone.now()
    with lock_limit.atomic():
        if rulesets.lock_current().number != ruleset.number:
            release(claim)  # a newer ruleset was published since the keys were computed
            return set()
        lock_limit.limit_this(lock_seconds)
        AdmissionClaim.objects.filter(pk=claim.pk).delete()
        claimed = {request.pk for request in keyed.all()}
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
            uncount_attempt(locked & queued)
        update_each(waiting, ("status", "resolution", "reading"))
        counter = Counter(now)
        complete(cached, ruleset, now, counter)
        fail(failed, now, counter)
        batches.count([*cached, *failed], now=now)
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
    end_stale(now or clock.leases_ended_by(LEASE.total_seconds()))
    if fair_share.is_any_admissible():
        ADMIT.send()
    if exists_along(NormalizationRequest.objects.suspect(), "id"):
        SUSPECTS.send()
