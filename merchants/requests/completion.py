"""Ends requests as completed, failed or canceled; corrects and requeues them."""

import collections
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from merchants.catalogue import rulesets
from merchants.models import (
    NormalizationRequest,
    NormalizationRequestQuerySet,
    Resolution,
    Rule,
    Ruleset,
    Waiter,
)
from merchants.requests import batches, fair_share, heuristic_queue
from merchants.requests.events import COMPLETED, FAILED, UPDATED, occurrence
from merchants.wakeups import ADMIT
from pave.core.database import locked_rows
from pave.core.database.bulk_update import update_each
from pave.operations.monitoring.counters import Counter
from webhooks.publishing import publish

logger = logging.getLogger(__name__)
Status = NormalizationRequest.Status
# Requests that are answered, or requeued, in one transaction: it locks their resolutions.
SETTLE_BATCH = 500


def complete(
    requests: Sequence[NormalizationRequest], ruleset: Ruleset, now: datetime, counter: Counter
) -> None:
    """End requests with the answers of their resolutions, and notify their clients.

    Args:
        requests: With their resolutions.
        ruleset: The newest.
        now: The present.
        counter: Counts them; to be written in the same transaction, as with the next functions.
    """
    for request in requests:
        request.ruleset = ruleset.number
    _end(requests, Status.COMPLETED, now)
    _count_hits(requests)
    _count(requests, now, counter)
    _notify(COMPLETED, requests, now)


def fail(requests: Sequence[NormalizationRequest], now: datetime, counter: Counter) -> None:
    """End requests with their errors, and notify their clients."""
    _end(requests, Status.FAILED, now)
    _count(requests, now, counter)
    _notify(FAILED, requests, now)


def cancel(requests: Sequence[NormalizationRequest], now: datetime) -> None:
    """End requests that were canceled; no event is published."""
    for request in requests:
        request.status = Status.CANCELED
    # The values are the same for all rows, of which there may be very many.
    NormalizationRequest.objects.filter(pk__in=[request.pk for request in requests]).update(
        status=Status.CANCELED, resolution=None, completed_at=now
    )
    counter = Counter(now)
    _count(requests, now, counter)
    counter.write()


def correct(
    answers: Sequence[tuple[NormalizationRequest, Resolution]], ruleset: Ruleset, now: datetime
) -> int:
    """Give completed requests another answer, and notify their clients; return their number.

    Args:
        answers: Requests as they were read, each with its new answer, which is locked. A request
            whose answer has changed since then is left as it is, so a repeat does nothing.
        ruleset: The newest.
        now: The present.
    """
    corrected = []
    for request, resolution in answers:
        if NormalizationRequest.objects.filter(
            pk=request.pk, status=Status.COMPLETED, resolution=request.resolution
        ).update(resolution=resolution, ruleset=ruleset.number, corrected=True):
            request.resolution = resolution
            request.ruleset = ruleset.number
            corrected.append(request)
    batches.count_corrected(corrected)
    _notify(UPDATED, corrected, now)
    return len(corrected)


@dataclass(frozen=True, slots=True)
class Settled:
    """What ``settle`` did: how many requests it ended, by resolution, and whether these are all."""

    requests: Mapping[UUID, int]
    all_of_them: bool


def settle(
    resolutions: Sequence[Resolution],
    ruleset: Ruleset,
    counter: Counter,
    *,
    now: datetime,
    clients: Collection[int] | None = None,
) -> Settled:
    """Complete or fail the requests that wait for finished resolutions, ``SETTLE_BATCH`` at most.

    Fewer of a client with many webhooks (``fair_share.affordable``). Of ``clients`` only, by
    primary key, if they are given.

    Call it in the transaction that finishes them, and afterwards ``readmit_waiting`` if these are
    not all. Requests that ``ruleset``, the newest, may answer otherwise are admitted again.
    """
    finished = {resolution.pk: resolution for resolution in resolutions}
    requests_waiting = NormalizationRequest.objects.waiting_for(resolutions)
    if clients is not None:
        requests_waiting = requests_waiting.filter(client__in=clients)
    in_order = requests_waiting.order_by(F("batch").asc(nulls_first=True), "id")
    found = list(in_order.values_list("pk", flat=True)[:SETTLE_BATCH])
    waiting = list(in_order.filter(pk__in=found).select_for_update(skip_locked=True))
    requests = fair_share.affordable(
        [(request.client_id, request.batch_id, request) for request in waiting]
    )
    counts: collections.Counter[UUID] = collections.Counter()
    answered, failed, outdated = [], [], []
    for request in requests:
        resolution = finished[cast(UUID, request.resolution_id)]
        request.resolution = resolution
        counts[resolution.pk] += 1
        if rulesets.may_differ(request, resolution, ruleset):
            outdated.append(request)
        elif resolution.is_resolved:
            answered.append(request)
        else:
            request.error = resolution.error
            failed.append(request)
    complete(answered, ruleset, now, counter)
    fail(failed, now, counter)
    if outdated:
        readmit(NormalizationRequest.objects.filter(pk__in=[request.pk for request in outdated]))
    batches.count([*answered, *failed], now=now)
    return Settled(counts, all_of_them=len(requests) == len(found) < SETTLE_BATCH)


def readmit_waiting(resolutions: Collection[UUID]) -> None:
    """Requeue, for admission, the requests that wait for finished resolutions, in pages.

    Admission finds the answer cached, and lets clients take turns. The waiters stay until all
    requests are requeued: they become due again when the lease ends, and the next claim goes on
    with what is left.
    """
    finished = Resolution.objects.finished().filter(pk__in=resolutions)
    left = list(finished.order_by("id").values_list("pk", flat=True))
    end = time.monotonic() + settings.PAVE_TASK_SLICE
    while left and time.monotonic() < end:
        if not finished.filter(pk=left[-1]).exists():
            left.pop()  # it was reopened, so its requests must wait
            continue
        with transaction.atomic():
            waiting = NormalizationRequest.objects.waiting_along_index(left[-1])
            locked = waiting.select_for_update(skip_locked=True)
            some = list(locked.values_list("pk", flat=True)[:SETTLE_BATCH])
            readmit(NormalizationRequest.objects.filter(pk__in=some))
        if not some:
            left.pop()
    with transaction.atomic():
        # While they are locked, no failed one is reopened.
        of_all = finished.select_for_update(no_key=True, skip_locked=True).order_by("id")
        pks = list(of_all.values_list("pk", flat=True))
        clients = Waiter.objects.filter(resolution__in=pks).values_list("client_id", flat=True)
        heuristic_queue.remove(pks, set(clients))


def readmit(requests: NormalizationRequestQuerySet) -> None:
    """Requeue requests that wait for an answer, for admission."""
    # They got their keys, so earlier failures of admission no longer count.
    requests.filter(status=Status.PROCESSING).update(
        status=Status.QUEUED, resolution=None, admission_attempts=0
    )
    ADMIT.send()


def _notify(event_type: str, requests: Sequence[NormalizationRequest], now: datetime) -> None:
    """Publish an event for each request, except rows of batches with one webhook."""
    publish(
        [
            # A correction concerns whoever listens now.
            replace(
                occurrence(event_type, request, request.resolution),
                most=None if event_type == UPDATED else most,
            )
            for request, most in batches.with_own_event(requests)
        ],
        now=now,
    )


def _count(requests: Iterable[NormalizationRequest], now: datetime, counter: Counter) -> None:
    for request in requests:
        counter.add("requests", request.status)
        counter.observe("wait_seconds", (now - request.created_at).total_seconds())
        if request.status == Status.COMPLETED and request.resolution:
            counter.add("answers", request.resolution.method)


def _count_hits(requests: Iterable[NormalizationRequest]) -> None:
    """Count the requests that rules have answered."""
    hits = collections.Counter(
        request.resolution.rule_id
        for request in requests
        if request.resolution and request.resolution.rule_id
    )
    updates = {
        rule: partial(Rule.objects.filter(pk=rule).update, hits=F("hits") + count)
        for rule, count in sorted(hits.items())
    }
    for rule in locked_rows.update_unlocked(updates):
        logger.warning("rule.hits_not_counted", extra={"rule": rule, "hits": hits[rule]})


def _end(requests: Sequence[NormalizationRequest], status: str, now: datetime) -> None:
    for request in requests:
        request.status = status
        request.completed_at = now
    update_each(requests, ("status", "resolution", "reading", "ruleset", "completed_at", "error"))
