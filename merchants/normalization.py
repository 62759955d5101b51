"""Requests: submitted, admitted, completed, failed. Every change of a request's state is here."""

import collections
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from merchants import batches, rulesets, usage
from merchants.bells import ADMIT
from merchants.events import COMPLETED, FAILED, occurrence
from merchants.models import NormalizationRequest, Resolution, Rule, Ruleset
from merchants.questions import key_of, resolutions_for
from pave.bulk import update_each
from pave.card_numbers import without_card_numbers
from pave.clients.models import Client
from pave.operations.shift import Shift
from pave.operations.tallies import Counter
from webhooks.publishing import publish

logger = logging.getLogger(__name__)

Status = NormalizationRequest.Status

ADMIT_BATCH = 200
# For so long the questions of one batch may be looked for, in seconds: it is a transaction, and the
# worker is ended that does not come back. Keys that hang are few in each batch, then.
KEYING_SECONDS = 4.0


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
        count = admit_batch()
        admitted += count
        if count:
            shift.worked()
        # While little comes, the next look waits for more of it: a batch costs nearly the same
        # whatever its size.
        if count < ADMIT_BATCH // 4:
            shift.rest()
    ADMIT.fall_asleep()
    if shift.ended_busy or NormalizationRequest.objects.queued().exists():
        ADMIT.ring()
    return admitted


def admit_batch(*, limit: int = ADMIT_BATCH) -> int:
    """Give up to ``limit`` queued requests their resolutions, and complete what is known already.

    Returns:
        How many requests left the queue.
    """
    now = timezone.now()
    if not NormalizationRequest.objects.queued().exists():
        return 0
    ruleset = rulesets.current()
    with transaction.atomic():
        requests, keyed, unkeyed = _keyed(_claim(limit), ruleset)
        resolutions = resolutions_for(keyed, ruleset, now)
        known: list[NormalizationRequest] = []
        failed = unkeyed
        for key, askers in keyed.items():
            resolution = resolutions[key]
            for request in askers:
                request.resolution = resolution
                request.status = Status.PROCESSING
            if resolution.is_resolved:
                known += askers
            elif resolution.status == Resolution.Status.FAILED:
                for request in askers:
                    request.error = resolution.error
                failed += askers
        ended = {request.pk for request in (*known, *failed)}
        waiting = [request for request in requests if request.pk not in ended]
        update_each(waiting, ("status", "resolution"))
        _complete(known, now)
        _fail(failed, now)
        batches.count([*known, *failed], now=now)
        counter = Counter(now)
        counter.add("requests", "queued", count=len(requests))
        counter.add("memory", "known", count=len(known))
        counter.add("memory", "waiting", count=len(requests) - len(known))
        counter.write()
    return len(requests)


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
    """Take back a request that has no end yet; its client is not told, since it knows.

    Raises:
        AlreadyFinal: It has its end.
    """
    now = timezone.now()
    with transaction.atomic():
        if (
            not NormalizationRequest.objects.unfinished()
            .filter(pk=request.pk)
            .update(status=Status.CANCELED, completed_at=now)
        ):
            raise AlreadyFinal
        request.refresh_from_db()
        _tally([request], now)
        batches.count([request], now=now)


def settle(resolutions: Sequence[Resolution], *, now: datetime) -> Mapping[UUID, int]:
    """Give every request that waits for finished resolutions its end.

    Call it in the transaction that finishes them.

    Returns:
        How many requests had theirs, by resolution.
    """
    finished = {resolution.pk: resolution for resolution in resolutions}
    requests = list(
        NormalizationRequest.objects.waiting_for(resolutions).select_for_update().order_by("id")
    )
    counts: collections.Counter[UUID] = collections.Counter()
    answered, failed = [], []
    for request in requests:
        resolution = finished[cast(UUID, request.resolution_id)]
        request.resolution = resolution
        counts[resolution.pk] += 1
        if resolution.is_resolved:
            answered.append(request)
        else:
            request.error = resolution.error
            failed.append(request)
    _complete(answered, now)
    _fail(failed, now)
    batches.count(requests, now=now)
    return counts


def sweep() -> None:
    """Ring for requests that wait for admission."""
    if NormalizationRequest.objects.queued().exists():
        ADMIT.ring()


def _claim(limit: int) -> list[NormalizationRequest]:
    """Lock queued requests: those that came alone first, so that no batch holds them up."""
    queued = NormalizationRequest.objects.queued().select_for_update(skip_locked=True)
    requests = list(queued.single()[:limit])
    if len(requests) < limit:
        requests += queued.batched()[: limit - len(requests)]
    return requests


def _keyed(
    claimed: Sequence[NormalizationRequest], ruleset: Ruleset
) -> tuple[
    Sequence[NormalizationRequest],
    dict[str, list[NormalizationRequest]],
    list[NormalizationRequest],
]:
    """Find the questions that claimed requests ask.

    Returns:
        The requests that were looked at, which are fewer where that took long: the others wait on;
        those that have a key, by it; and those that have none, each with its error.
    """
    end = time.monotonic() + KEYING_SECONDS
    keyed: dict[str, list[NormalizationRequest]] = {}
    unkeyed: list[NormalizationRequest] = []
    for number, request in enumerate(claimed):
        if time.monotonic() > end:
            return claimed[:number], keyed, unkeyed
        try:
            key = key_of(request, ruleset)
        except Exception as error:
            logger.exception("admission.no_key request=%s", request.pk)
            request.error = f"The heuristic could not read it: {type(error).__name__}."
            unkeyed.append(request)
        else:
            keyed.setdefault(key, []).append(request)
    return claimed, keyed, unkeyed


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
    update_each(requests, ("status", "resolution", "completed_at", "error"))
