"""Requests: submitted, admitted, completed, failed. Every change of a request's state is here."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from merchants.bells import ADMIT, RESOLVE
from merchants.catalogue import current_ruleset, heuristic_for
from merchants.events import COMPLETED, FAILED, occurrence
from merchants.models import KEY_LENGTH, NormalizationRequest, Resolution, Ruleset
from pave.clients.models import Client
from pave.operations.shift import Shift
from webhooks.publishing import publish

logger = logging.getLogger(__name__)

Status = NormalizationRequest.Status

ADMIT_BATCH = 200
# How long a question that could not be answered is not asked again: whoever asks it within this
# time gets the same failure, so that a question that kills workers cannot kill one after another.
FAILURE_MEMORY = timedelta(minutes=5)


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
    ruleset = current_ruleset()
    heuristic = heuristic_for(ruleset)
    with transaction.atomic():
        requests = list(
            NormalizationRequest.objects.queued().select_for_update(skip_locked=True)[:limit]
        )
        keyed: dict[str, list[NormalizationRequest]] = {}
        unkeyed = []
        for request in requests:
            try:
                key = _short(heuristic.key(request.as_transaction()))
            except Exception as error:
                logger.exception("admission.no_key request=%s", request.pk)
                request.error = f"The heuristic could not read it: {type(error).__name__}."
                unkeyed.append(request)
            else:
                keyed.setdefault(key, []).append(request)
        resolutions = _resolutions(keyed, ruleset, now)
        known: list[NormalizationRequest] = []
        failed = unkeyed
        for key, askers in keyed.items():
            resolution = resolutions[key]
            for request in askers:
                request.resolution = resolution
                request.status = Status.PROCESSING
            if resolution.status == Resolution.Status.RESOLVED:
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
    if resolution.status == Resolution.Status.RESOLVED:
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


def _finish(requests: Iterable[NormalizationRequest], status: str, now: datetime) -> None:
    for request in requests:
        request.status = status
        request.completed_at = now
    NormalizationRequest.objects.filter(pk__in=[request.pk for request in requests]).update(
        status=status, completed_at=now
    )


def _resolutions(
    keyed: dict[str, list[NormalizationRequest]], ruleset: Ruleset, now: datetime
) -> dict[str, Resolution]:
    """Find or make the resolution of each key, and lock those that are not resolved yet.

    The lock keeps a resolution from being finished between this look at its status and the commit
    that ties requests to it; else these would wait for an answer that has been given out already.
    """
    questions = Resolution.objects.filter(ruleset=ruleset)
    resolved = {
        resolution.key: resolution
        for resolution in questions.filter(key__in=keyed, status=Resolution.Status.RESOLVED)
    }
    others = [key for key in keyed if key not in resolved]
    if not others:
        return resolved
    present = set(questions.filter(key__in=others).values_list("key", flat=True))
    made = Resolution.objects.bulk_create(
        [
            Resolution(
                key=key,
                ruleset=ruleset,
                transaction=_as_json(keyed[key][0]),
                next_attempt_at=now,
            )
            for key in sorted(set(others) - present)
        ],
        ignore_conflicts=True,
    )
    # In one order everywhere, so that two admissions cannot wait for each other.
    locked = list(questions.filter(key__in=others).select_for_update().order_by("id"))
    reopened = [
        resolution
        for resolution in locked
        if resolution.status == Resolution.Status.FAILED
        and resolution.finished_at is not None
        and resolution.finished_at < now - FAILURE_MEMORY
    ]
    for resolution in reopened:
        resolution.status = Resolution.Status.PENDING
    Resolution.objects.filter(pk__in=[resolution.pk for resolution in reopened]).update(
        status=Resolution.Status.PENDING, attempts=0, next_attempt_at=now, error=""
    )
    if made or reopened:
        RESOLVE.ring(min(len(made) + len(reopened), settings.PAVE_WORKERS))
    return resolved | {resolution.key: resolution for resolution in locked}


def _short(key: str) -> str:
    """Return the key, or its hash where it is too long for the column."""
    if len(key) <= KEY_LENGTH:
        return key
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _as_json(request: NormalizationRequest) -> dict[str, Any]:
    return {
        "description": request.description,
        "amount": request.amount,
        "currency": request.currency,
        "date": request.date.isoformat() if request.date else "",
        "mcc": request.mcc,
        "country": request.country,
        "city": request.city,
    }
