"""Requests: submitted, admitted, completed, failed. Every change of a request's state is here."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from merchants import rulesets
from merchants.bells import ADMIT
from merchants.events import COMPLETED, FAILED, occurrence
from merchants.models import NormalizationRequest, Resolution, Rule
from merchants.questions import key_of, resolutions_for
from pave.clients.models import Client
from pave.operations.shift import Shift
from webhooks.publishing import publish

logger = logging.getLogger(__name__)

Status = NormalizationRequest.Status

ADMIT_BATCH = 200


def submit(*, client: Client, fields: dict[str, Any]) -> NormalizationRequest:
    """Take a transaction: one row, which is all that acceptance costs, and the cluster's bell.

    Args:
        client: Who asks.
        fields: Validated fields of the transaction, named as the model's.
    """
    request = NormalizationRequest(client=client, created_at=timezone.now(), **fields)
    request.save(force_insert=True)
    ADMIT.ring()
    return request


def admit() -> int:
    """Admit queued requests, batch by batch, for a slice of time; return how many there were."""
    shift = Shift(ADMIT, seconds=settings.PAVE_TASK_SLICE)
    admitted = 0
    while shift.goes_on():
        if count := admit_batch():
            admitted += count
            shift.worked()
        else:
            shift.rest()
    ADMIT.fall_asleep()
    if NormalizationRequest.objects.queued().exists():
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
        requests = list(
            NormalizationRequest.objects.queued().select_for_update(skip_locked=True)[:limit]
        )
        keyed: dict[str, list[NormalizationRequest]] = {}
        unkeyed = []
        for request in requests:
            try:
                key = key_of(request, ruleset)
            except Exception as error:
                logger.exception("admission.no_key request=%s", request.pk)
                request.error = f"The heuristic could not read it: {type(error).__name__}."
                unkeyed.append(request)
            else:
                keyed.setdefault(key, []).append(request)
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
        NormalizationRequest.objects.bulk_update(
            [request for askers in keyed.values() for request in askers],
            ["resolution", "status"],
        )
        complete(known, now=now)
        fail(failed, now=now)
    return len(requests)


def complete(requests: Sequence[NormalizationRequest], *, now: datetime) -> None:
    """Complete requests whose resolution is resolved, and tell their clients.

    Call it in the transaction that resolves them. Each request has its resolution loaded.
    """
    _finish(requests, Status.COMPLETED, now)
    _count_hits(requests)
    publish([occurrence(COMPLETED, request, request.resolution) for request in requests], now=now)


def fail(requests: Sequence[NormalizationRequest], *, now: datetime) -> None:
    """Fail requests, each with the ``error`` that is set on it, and tell their clients."""
    _finish(requests, Status.FAILED, now)
    for request in requests:
        NormalizationRequest.objects.filter(pk=request.pk).update(error=request.error)
    publish([occurrence(FAILED, request, request.resolution) for request in requests], now=now)


def settle(resolution: Resolution, *, now: datetime) -> int:
    """Give every request that waits for a finished resolution its end; return how many did."""
    requests = list(
        NormalizationRequest.objects.waiting_for(resolution).select_for_update().order_by("id")
    )
    for request in requests:
        request.resolution = resolution
    if resolution.is_resolved:
        complete(requests, now=now)
    else:
        for request in requests:
            request.error = resolution.error
        fail(requests, now=now)
    return len(requests)


def sweep() -> None:
    """Ring for requests that wait for admission."""
    if NormalizationRequest.objects.queued().exists():
        ADMIT.ring()


def _count_hits(requests: Iterable[NormalizationRequest]) -> None:
    """Count the requests that rules have answered."""
    hits = Counter(
        request.resolution.rule_id
        for request in requests
        if request.resolution and request.resolution.rule_id
    )
    for rule_id, count in sorted(hits.items()):  # in one order everywhere: no deadlock
        Rule.objects.filter(pk=rule_id).update(hits=F("hits") + count)


def _finish(requests: Iterable[NormalizationRequest], status: str, now: datetime) -> None:
    for request in requests:
        request.status = status
        request.completed_at = now
    NormalizationRequest.objects.filter(pk__in=[request.pk for request in requests]).update(
        status=status, completed_at=now
    )
