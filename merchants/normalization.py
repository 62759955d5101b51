"""Requests: submitted, admitted, completed, failed. Every change of a request's state is here."""

import collections
import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from merchants import batches, rulesets, turns, usage
from merchants.bells import ADMIT, CANCEL, SUSPECTS
from merchants.events import COMPLETED, FAILED, occurrence
from merchants.heuristic import Heuristic
from merchants.models import (
    AdmissionClaim,
    Batch,
    NormalizationRequest,
    NormalizationRequestQuerySet,
    Resolution,
    Rule,
    Ruleset,
    Waiter,
)
from merchants.questions import (
    ALONE,
    IN_A_BATCH,
    Limits,
    StoredKey,
    key_of,
    may_differ,
    resolutions_for,
)
from merchants.reading import read
from pave import advisory
from pave.bulk import update_each
from pave.card_numbers import without_card_numbers
from pave.clients.models import Client
from pave.operations import shutdown
from pave.operations.identity import worker_name
from pave.operations.patience import AWAY, persist
from pave.operations.shift import Shift
from pave.operations.tallies import Counter
from webhooks.publishing import publish

logger = logging.getLogger(__name__)

Status = NormalizationRequest.Status

ADMIT_BATCH = 200
# For so long the keys of one batch are worked out, in seconds: who waits behind it is not to wait
# for long, and the worker is ended that does not come back.
KEYING_SECONDS = 4.0
# Attempts of a request that is admitted alone, each with more time.
MAX_ALONE = 3
# How long a worker goes on with such requests, in seconds.
SUSPECTS_SECONDS = 2.0
# How long the database may be away until what was claimed is left to the sweep, in seconds.
PATIENCE_SECONDS = 30.0
# A claim this old is a dead worker's: keying and one key's limit are over long before.
CLAIM_LEASE = timedelta(seconds=60)
# Requests that are answered, or put back into the queue, in one transaction: others wait for it
# who ask the same.
SETTLE_BATCH = 500
# Requests taken back in one transaction; the pause before those that are locked are tried again,
# and how long that is tried for a single one, in seconds.
CANCEL_BATCH = 1000
CANCEL_PAUSE = 0.05
CANCEL_SECONDS = 5.0
# For so long, in seconds, a worker goes on with batches while others wait for it.
CANCEL_SLICE_SECONDS = 2.0


class InUse(Exception):
    """The request is being admitted or answered just now: try again."""


class AlreadyFinal(Exception):
    """The request has its end: nothing can be changed about it."""


def submit(*, client: Client, fields: dict[str, Any]) -> NormalizationRequest:
    """Take a transaction: one row, which is all that acceptance costs, and the cluster's bell.

    Args:
        client: Who asks.
        fields: Validated fields of the transaction, named as the model's.

    Raises:
        QuotaExceeded: The client has sent as many this month as it may.
    """
    request = NormalizationRequest(
        client=client, created_at=timezone.now(), **without_card_numbers(fields)
    )
    if client.monthly_quota is None:
        request.save(force_insert=True)
    else:
        with transaction.atomic():
            usage.charge(client, 1, now=request.created_at)
            request.save(force_insert=True)
    # The one line that ties the HTTP request's id to this request's own, which later lines bear.
    logger.info("request.accepted request=%s client=%s", request.pk, client.client_id)
    ADMIT.ring()
    return request


def admit() -> int:
    """Admit queued requests, batch by batch, for a slice of time; return how many there were."""
    shift = Shift(ADMIT, seconds=settings.PAVE_TASK_SLICE)
    admitted = 0
    while shift.goes_on():
        count, more = _admit_batch(ADMIT_BATCH)
        admitted += count
        if count:
            shift.worked()
        # While little comes, the next look waits for more of it: a batch costs nearly the same
        # whatever its size.
        if count < ADMIT_BATCH // 4 and not more:
            shift.rest()
    ADMIT.fall_asleep()
    if shift.ended_busy or turns.is_any_admissible():
        ADMIT.ring()
    return admitted


@dataclass(frozen=True, slots=True)
class _Claimed:
    """Queued requests whose keys this worker is to work out, and the row that says so."""

    requests: Sequence[NormalizationRequest]
    claim: AdmissionClaim
    more: bool = False  # whether a client may have more queued than its part


@dataclass(slots=True)
class _Keyed:
    """Requests by their keys, and those that have none, each with its error."""

    askers: dict[StoredKey, list[NormalizationRequest]] = field(default_factory=dict)
    unkeyed: list[NormalizationRequest] = field(default_factory=list)
    # Those that had been admitted before, and counted.
    again: set[UUID] = field(default_factory=set)


def admit_batch(*, limit: int = ADMIT_BATCH) -> int:
    """Give up to ``limit`` queued requests their resolutions, and complete what is cached.

    Clients take turns. Nothing that a heuristic does to one request is let happen to the others:
    keys are worked out outside any transaction, and what has none, or has ended the process, is
    set aside for ``admit_suspects``.

    Returns:
        How many requests were looked at.
    """
    return _admit_batch(limit)[0]


def _admit_batch(limit: int) -> tuple[int, bool]:
    """Do as ``admit_batch`` says; return as well whether a client may have more than its part."""
    if not turns.is_any_admissible():
        return 0, False
    claimed = _claim(limit)
    if not claimed.requests:
        return 0, claimed.more
    ruleset = rulesets.current()
    heuristic = rulesets.heuristic_for(ruleset.number)
    keyed = _Keyed()
    end = time.monotonic() + KEYING_SECONDS
    # A client one of whose has just cost others their time waits on. If that was much of it, its
    # others are set aside too: each may be like that.
    held_up: dict[int, bool] = {}
    left: list[NormalizationRequest] = []
    for request in _by_turns(claimed.requests):
        if request.client_id in held_up or time.monotonic() > end:
            left.append(request)
        elif error := _key(request, heuristic, IN_A_BATCH, keyed):
            held_up[request.client_id] = isinstance(error, TimeoutError)
    keyed.unkeyed += [request for request in left if held_up.get(request.client_id)]
    _admit_claimed(claimed.claim, keyed, ruleset)
    return len(claimed.requests), claimed.more


def _by_turns(requests: Sequence[NormalizationRequest]) -> Iterator[NormalizationRequest]:
    """Yield the first request of each client, then the second of each, and so on."""
    lines: dict[int, list[NormalizationRequest]] = {}
    for request in requests:
        lines.setdefault(request.client_id, []).append(request)
    for rank in zip_longest(*lines.values()):
        yield from filter(None, rank)


def admit_suspects() -> int:
    """Admit one by one what an admission with others has failed for; return how many there were.

    The attempt is counted before it is made, and after ``MAX_ALONE`` the request has failed. It
    runs in a worker of the heuristic's queue, so that it holds up nobody else's admission; in one
    at a time and not for long, so that it holds up nobody's answers; and clients take turns.
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
        turns.settle_up(request.client_id, now - begun, ALONE.wall)
        begun = now
    if begun >= end and NormalizationRequest.objects.suspect().exists():
        SUSPECTS.ring()
    return admitted


def _key(
    request: NormalizationRequest, heuristic: Heuristic, limits: Limits, keyed: _Keyed
) -> Exception | None:
    """Read a request and find its key; put it where it belongs. Return what went wrong."""
    if request.reading is not None:
        keyed.again.add(request.pk)
    try:
        request.reading = read(request.as_transaction()).to_json()
        key = key_of(request, heuristic, limits)
    except Exception as error:
        logger.exception("admission.no_key request=%s", request.pk)
        request.error = f"The heuristic could not read it: {type(error).__name__}."
        keyed.unkeyed.append(request)
        return error
    keyed.askers.setdefault(key, []).append(request)
    return None


def _admit_claimed(claim: AdmissionClaim, keyed: _Keyed, ruleset: Ruleset) -> None:
    """Admit what was claimed; if that fails, let others have it: by itself if it is the cause."""
    try:
        _admit(claim, keyed, ruleset)
    except AWAY:
        persist(lambda: _release(claim), seconds=PATIENCE_SECONDS)
        raise
    except Exception:
        logger.exception("admission.failed claim=%s", claim.pk)
        _end_claims(AdmissionClaim.objects.filter(pk=claim.pk))


def _admit(claim: AdmissionClaim, keyed: _Keyed, ruleset: Ruleset) -> None:
    """Tie requests to their resolutions, in one transaction; those that were taken back are out."""
    now = timezone.now()
    with transaction.atomic():
        if rulesets.steady().number != ruleset.number:
            _release(claim)  # another one answers since the keys were worked out
            return
        AdmissionClaim.objects.filter(pk=claim.pk).delete()
        asking = [request for requests in keyed.askers.values() for request in requests]
        queued = set(
            NormalizationRequest.objects.queued()
            .filter(pk__in=[request.pk for request in (*asking, *keyed.unkeyed)])
            .select_for_update()
            .order_by("id")
            .values_list("pk", flat=True)
        )
        askers = {
            key: still
            for key, requests in keyed.askers.items()
            if (still := [request for request in requests if request.pk in queued])
        }
        failed = _set_aside([request for request in keyed.unkeyed if request.pk in queued])
        resolutions = resolutions_for(askers, ruleset, now)
        cached: list[NormalizationRequest] = []
        waiting: list[NormalizationRequest] = []
        for key, requests in askers.items():
            resolution = resolutions[key.text]
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
        update_each(waiting, ("status", "resolution", "reading"))
        _complete(cached, now)
        _fail(failed, now)
        batches.count([*cached, *failed], now=now)
        counter = Counter(now)
        known = sum(request.pk not in keyed.again for request in cached)
        unknown = sum(request.pk not in keyed.again for request in (*waiting, *failed))
        counter.add("requests", "queued", count=known + unknown)
        counter.add("memory", "known", count=known)
        counter.add("memory", "waiting", count=unknown)
        counter.write()


def _set_aside(unkeyed: Sequence[NormalizationRequest]) -> list[NormalizationRequest]:
    """Leave what has no key to ``admit_suspects``; return what has had its last attempt."""
    fresh = [request.pk for request in unkeyed if request.admission_attempts == 0]
    if fresh:
        NormalizationRequest.objects.filter(pk__in=fresh).update(admission_attempts=1)
    if unkeyed:
        SUSPECTS.ring()
    return [request for request in unkeyed if request.admission_attempts > MAX_ALONE]


def _complete(requests: Sequence[NormalizationRequest], now: datetime) -> None:
    _finish(requests, Status.COMPLETED, now)
    _count_hits(requests)
    _tally(requests, now)
    _tell(COMPLETED, requests, now)


def _fail(requests: Sequence[NormalizationRequest], now: datetime) -> None:
    _finish(requests, Status.FAILED, now)
    _tally(requests, now)
    _tell(FAILED, requests, now)


def cancel(*, request: NormalizationRequest) -> None:
    """Take back a request that is not final yet; its client is not told, since it knows.

    Raises:
        AlreadyFinal: It is final.
        InUse: It is being admitted or answered, for longer than ``CANCEL_SECONDS``.
    """
    requests = NormalizationRequest.objects.filter(pk=request.pk)
    end = time.monotonic() + CANCEL_SECONDS
    while not _cancel_some(requests):
        if not requests.unfinished().exists():
            raise AlreadyFinal
        if time.monotonic() > end:
            raise InUse
        time.sleep(CANCEL_PAUSE)
    request.refresh_from_db()


def cancel_batch(*, batch: Batch) -> None:
    """Take back a batch's rows that are not final yet; its client is not told, since it knows.

    Raises:
        AlreadyFinal: All of its rows are final.
    """
    opened = Batch.objects.open().filter(pk=batch.pk)
    if opened.filter(cancel_requested_at=None).update(cancel_requested_at=timezone.now()):
        # As much as takes no time. The cluster does the others, and a repeat does nothing.
        _cancel_some(NormalizationRequest.objects.filter(batch=batch.pk))
        CANCEL.ring()
    elif not opened.exists():
        raise AlreadyFinal
    batch.refresh_from_db()


def cancel_batches() -> int:
    """Go on with batches that are to be canceled, for a slice of time, in any order.

    Returns:
        How many rows were taken back.
    """
    canceled = 0
    end = time.monotonic() + CANCEL_SLICE_SECONDS
    batches_left = Batch.objects.canceling().order_by("?").values_list("pk", flat=True)
    while batch_pks := list(batches_left):
        count = 0
        for batch_pk in batch_pks:
            if time.monotonic() > end or shutdown.requested():
                return canceled + count  # the sweep rings again
            count += _cancel_some(NormalizationRequest.objects.filter(batch=batch_pk))
        canceled += count
        if not count:
            time.sleep(CANCEL_PAUSE)  # somebody is admitting or answering just these
    return canceled


def cancel_all(requests: NormalizationRequestQuerySet) -> int:
    """Take back all of ``requests`` that are not final yet, some at a time; return how many.

    What nobody waits for any more leaves the heuristic's queue.
    """
    canceled = 0
    while requests.unfinished().exists():
        count = _cancel_some(requests)
        canceled += count
        if not count:
            time.sleep(CANCEL_PAUSE)
    return canceled


def _cancel_some(requests: NormalizationRequestQuerySet) -> int:
    """Take back some that nobody is admitting or answering just now; wait for nobody's lock."""
    now = timezone.now()
    found = list(
        requests.unfinished().order_by("id").values_list("pk", "resolution")[:CANCEL_BATCH]
    )
    with transaction.atomic():
        # Resolutions before their requests, as those lock them who answer.
        asked = set(
            Resolution.objects.filter(pk__in={pk for _, pk in found if pk})
            .select_for_update(skip_locked=True, no_key=True)
            .order_by("id")
            .values_list("pk", flat=True)
        )
        taken = list(
            NormalizationRequest.objects.unfinished()
            .filter(Q(resolution=None) | Q(resolution__in=asked), pk__in=[pk for pk, _ in found])
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("id")
        )
        for request in taken:
            request.resolution = None
        _finish(taken, Status.CANCELED, now)
        _tally(taken, now)
        _end_wait(asked, {request.client_id for request in taken}, but_revisions=True)
        drop_unwanted(asked)
        batches.count(taken, now=now)
    return len(taken)


@dataclass(frozen=True, slots=True)
class Settled:
    """What ``settle`` did: how many requests it settled, by resolution, and whether that is all."""

    requests: Mapping[UUID, int]
    all_of_them: bool


def settle(resolutions: Sequence[Resolution], ruleset: Ruleset, *, now: datetime) -> Settled:
    """Complete or fail the requests that wait for finished resolutions, ``SETTLE_BATCH`` at most.

    Of a client with many webhooks they are fewer (``turns.affordable``).

    Call it in the transaction that finishes them, and ``admit_the_rest`` behind it if that is not
    all of them. What ``ruleset``, the newest, may answer otherwise is admitted anew.
    """
    finished = {resolution.pk: resolution for resolution in resolutions}
    found = list(
        NormalizationRequest.objects.waiting_for(resolutions)
        .select_for_update()
        .order_by(F("batch").asc(nulls_first=True), "id")[:SETTLE_BATCH]
    )
    requests = turns.affordable(
        [(request.client_id, request.batch_id, request) for request in found]
    )
    counts: collections.Counter[UUID] = collections.Counter()
    answered, failed, outdated = [], [], []
    for request in requests:
        resolution = finished[cast(UUID, request.resolution_id)]
        request.resolution = resolution
        counts[resolution.pk] += 1
        if may_differ(request, resolution, ruleset):
            outdated.append(request)
        elif resolution.is_resolved:
            answered.append(request)
        else:
            request.error = resolution.error
            failed.append(request)
    _complete(answered, now)
    _fail(failed, now)
    if outdated:
        admit_anew(NormalizationRequest.objects.filter(pk__in=[request.pk for request in outdated]))
    batches.count([*answered, *failed], now=now)
    return Settled(counts, len(requests) == len(found) < SETTLE_BATCH)


def admit_the_rest(resolutions: Collection[UUID]) -> None:
    """Put back into admission's queue who waits for finished resolutions, some at a time.

    There the answer is known by now, and clients take turns. Until it is through the waiters stay:
    they are due again when the lease is over, and the next claim goes on with what is left.
    """
    finished = Resolution.objects.finished().filter(pk__in=resolutions)
    waiting = NormalizationRequest.objects.filter(resolution__in=finished, status=Status.PROCESSING)
    end = time.monotonic() + settings.PAVE_TASK_SLICE
    while time.monotonic() < end:
        with transaction.atomic():
            locked = waiting.select_for_update(skip_locked=True, of=("self",))
            # Not in the order of ids, which would be looked for among all clients' requests.
            some = list(locked.order_by().values_list("pk", flat=True)[:SETTLE_BATCH])
            admit_anew(NormalizationRequest.objects.filter(pk__in=some))
        if not some:
            break
    with transaction.atomic():
        # Under their lock nobody asks one anew that has failed.
        of_all = finished.select_for_update(no_key=True).order_by("id")
        pks = list(of_all.values_list("pk", flat=True))
        clients = Waiter.objects.filter(resolution__in=pks).values_list("client_id", flat=True)
        _end_wait(pks, set(clients))


def admit_anew(requests: NormalizationRequestQuerySet) -> None:
    """Put requests that wait for an answer back into admission's queue."""
    # Their keys were found: what an earlier admission failed for counts no more.
    requests.filter(status=Status.PROCESSING).update(
        status=Status.QUEUED, resolution=None, admission_attempts=0
    )
    ADMIT.ring()


def sweep(*, now: datetime | None = None) -> None:
    """Ring for requests that wait for admission, and end the claims of dead workers."""
    now = now or timezone.now()
    _end_claims(AdmissionClaim.objects.filter(created_at__lt=now - CLAIM_LEASE))
    if turns.is_any_admissible():
        ADMIT.ring()
    if NormalizationRequest.objects.suspect().exists():
        SUSPECTS.ring()
    if Batch.objects.canceling().exists():
        CANCEL.ring()


def hand_back(*, worker: str) -> None:
    """End the claims of the dead ``worker``, or of all workers of a dead cluster."""
    _end_claims(AdmissionClaim.objects.filter(worker__startswith=worker))


@transaction.atomic
def _release(claim: AdmissionClaim) -> None:
    """End a claim as if it had not been made."""
    if AdmissionClaim.objects.filter(pk=claim.pk).delete()[0] and claim.alone:
        requests = NormalizationRequest.objects.filter(pk__in=claim.requests)
        requests.update(admission_attempts=F("admission_attempts") - 1)


def _end_claims(claims: QuerySet[AdmissionClaim]) -> None:
    """Let the requests of dead workers' claims be admitted one by one: one may have done it."""
    for claim in claims:
        with transaction.atomic():
            if not AdmissionClaim.objects.filter(pk=claim.pk).delete()[0]:
                continue
            NormalizationRequest.objects.queued().filter(
                pk__in=claim.requests, admission_attempts=0
            ).update(admission_attempts=1)
            SUSPECTS.ring()
        logger.warning("admission.lost worker=%s requests=%s", claim.worker, len(claim.requests))


def _claim(limit: int) -> _Claimed:
    """Claim queued requests, of each client that has some as many."""
    with transaction.atomic():
        advisory.take(advisory.Lock.CLAIMING_REQUESTS)
        # Claims before requests: one that ends in between has left nothing queued.
        claimed, alone = _claimed_elsewhere()
        # While one of a client's is admitted alone, and takes its time, its others wait.
        waiting = NormalizationRequest.objects.filter(pk__in=alone)
        but_of = set(waiting.values_list("client_id", flat=True)) if alone else set()
        ids, more = turns.next_queued(limit, but=claimed, but_of=but_of)
        if not ids:
            return _Claimed((), AdmissionClaim(), more)
        claim = _write_claim(ids)
    requests = NormalizationRequest.objects.filter(pk__in=ids).order_by("id")
    return _Claimed(list(requests), claim, more)


def _claim_suspect() -> _Claimed | None:
    """Claim one request that is to be admitted alone, and count the attempt."""
    with transaction.atomic():
        advisory.take(advisory.Lock.CLAIMING_REQUESTS)
        if AdmissionClaim.objects.filter(alone=True).exists():
            return None
        suspects = NormalizationRequest.objects.suspect()
        clients = suspects.order_by("client_id").values_list("client_id", flat=True).distinct()
        for client in turns.by_use(list(clients)):
            # Those first that have had fewest attempts: one may have taken the others along.
            of_client = suspects.filter(client=client).order_by("admission_attempts", "id")
            request = of_client.select_for_update(skip_locked=True).first()
            if request is not None:
                request.admission_attempts += 1
                request.save(update_fields=["admission_attempts"])
                turns.charge(client, ALONE.wall)
                return _Claimed([request], _write_claim([request.pk], alone=True))
    return None


def _claimed_elsewhere() -> tuple[set[UUID], set[UUID]]:
    """Return the requests that somebody has claimed, and those of them that were claimed alone."""
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


# In the statements of the next two, one table is read at a time: a plan made of statistics that are
# older than a large batch may join them row by row, and then holds all others up for minutes.
def drop_unwanted(resolutions: Collection[UUID]) -> None:
    """Let go of resolutions that nobody waits for any more; wait for nobody's lock."""
    pending = Resolution.objects.filter(pk__in=resolutions, status=Resolution.Status.PENDING)
    with transaction.atomic():
        locked = set(
            pending.select_for_update(skip_locked=True).order_by("id").values_list("pk", flat=True)
        )
        for asked in (Waiter.objects.all(), NormalizationRequest.objects.all()):
            wanted = asked.filter(resolution__in=locked).order_by()
            locked -= set(wanted.values_list("resolution", flat=True).distinct())
        Resolution.objects.filter(pk__in=locked).delete()


def _end_wait(
    resolutions: Collection[UUID], clients: Collection[int], *, but_revisions: bool = False
) -> None:
    """Remove the waiters of clients that have no request left which waits for the resolution.

    Args:
        resolutions: Locked ones, so that nobody begins to wait for them.
        clients: Their primary keys.
        but_revisions: Leave those that wait to revise an answer.
    """
    processing = NormalizationRequest.objects.filter(
        resolution__in=resolutions, client__in=clients, status=Status.PROCESSING
    )
    waiting = set(processing.order_by().values_list("resolution", "client").distinct())
    waiters = {
        pk: request
        for pk, resolution, client, request in Waiter.objects.filter(
            resolution__in=resolutions, client__in=clients
        ).values_list("pk", "resolution", "client", "request")
        if (resolution, client) not in waiting
    }
    answered: set[UUID] = set()
    if but_revisions:
        requests = NormalizationRequest.objects.filter(
            pk__in=waiters.values(), status=Status.COMPLETED
        )
        answered = set(requests.values_list("pk", flat=True))
    Waiter.objects.filter(
        pk__in=[pk for pk, request in waiters.items() if request not in answered]
    ).delete()


def _tell(event_type: str, requests: Sequence[NormalizationRequest], now: datetime) -> None:
    """Tell clients of requests that ended, one by one or by their batch."""
    publish(
        [
            occurrence(event_type, request, request.resolution)
            for request in batches.told_one_by_one(requests)
        ],
        now=now,
    )


def _tally(requests: Iterable[NormalizationRequest], now: datetime) -> None:
    counter = Counter(now)
    for request in requests:
        counter.add("requests", request.status)
        counter.observe("wait_seconds", (now - request.created_at).total_seconds())
        if request.status == Status.COMPLETED and request.resolution:
            counter.add("answers", request.resolution.method)
    counter.write()


def _count_hits(requests: Iterable[NormalizationRequest]) -> None:
    """Count the requests that rules have answered."""
    hits = collections.Counter(
        request.resolution.rule_id
        for request in requests
        if request.resolution and request.resolution.rule_id
    )
    for rule_id, count in sorted(hits.items()):  # in one order everywhere: no deadlock
        Rule.objects.filter(pk=rule_id).update(hits=F("hits") + count)


def _finish(requests: Sequence[NormalizationRequest], status: str, now: datetime) -> None:
    for request in requests:
        request.status = status
        request.completed_at = now
    update_each(requests, ("status", "resolution", "reading", "completed_at", "error"))
