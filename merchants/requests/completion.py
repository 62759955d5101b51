"""Requests become final: completed, failed or canceled; counted, and told of."""

import collections
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from merchants.models import (
    NormalizationRequest,
    NormalizationRequestQuerySet,
    Resolution,
    Rule,
    Ruleset,
    Waiter,
)
from merchants.requests import batches, fair_share
from merchants.requests.events import COMPLETED, FAILED, occurrence
from merchants.requests.questions import (
    may_differ,
)
from merchants.wakeups import ADMIT
from pave.core.bulk_update import update_each
from pave.operations.monitoring.counters import Counter
from webhooks.publishing import publish

logger = logging.getLogger(__name__)
Status = NormalizationRequest.Status
# Requests that are answered, or put back into the queue, in one transaction: others wait for it
# who ask the same.
SETTLE_BATCH = 500


def complete(requests: Sequence[NormalizationRequest], now: datetime) -> None:
    finish(requests, Status.COMPLETED, now)
    _count_hits(requests)
    tally(requests, now)
    _tell(COMPLETED, requests, now)


def fail(requests: Sequence[NormalizationRequest], now: datetime) -> None:
    finish(requests, Status.FAILED, now)
    tally(requests, now)
    _tell(FAILED, requests, now)


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
    requests = fair_share.affordable(
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
    complete(answered, now)
    fail(failed, now)
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
        end_wait(pks, set(clients))


def admit_anew(requests: NormalizationRequestQuerySet) -> None:
    """Put requests that wait for an answer back into admission's queue."""
    # Their keys were found: what an earlier admission failed for counts no more.
    requests.filter(status=Status.PROCESSING).update(
        status=Status.QUEUED, resolution=None, admission_attempts=0
    )
    ADMIT.send()


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


def end_wait(
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


def tally(requests: Iterable[NormalizationRequest], now: datetime) -> None:
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


def finish(requests: Sequence[NormalizationRequest], status: str, now: datetime) -> None:
    for request in requests:
        request.status = status
        request.completed_at = now
    update_each(requests, ("status", "resolution", "reading", "completed_at", "error"))
