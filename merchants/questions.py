"""Finding or making the resolution of each question that is asked."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from merchants import rulesets
from merchants.bells import RESOLVE
from merchants.models import KEY_LENGTH, NormalizationRequest, Resolution, Ruleset
from merchants.running import HeuristicTimeout, time_limit

# How long a question that could not be answered is not asked again: whoever asks it within this
# time gets the same failure, so that a question that kills workers cannot kill one after another.
FAILURE_MEMORY = timedelta(minutes=5)
# A key is a matter of microseconds. One that hangs must not hold up those that wait behind it.
KEY_SECONDS = 1.0

Askers = Mapping[str, Sequence[NormalizationRequest]]


def key_of(request: NormalizationRequest, ruleset: Ruleset) -> str:
    """Return what makes requests the same question under a ruleset.

    Raises:
        TimeoutError: The heuristic's ``key`` takes longer than ``KEY_SECONDS``.
        Exception: Whatever it raises.
    """
    heuristic = rulesets.heuristic_for(ruleset.number)
    try:
        with time_limit(KEY_SECONDS):
            key = heuristic.key(request.as_transaction())
    except HeuristicTimeout as error:
        raise TimeoutError("The heuristic's key takes too long.") from error
    if len(key) <= KEY_LENGTH:
        return key
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def resolutions_for(askers: Askers, ruleset: Ruleset, now: datetime) -> dict[str, Resolution]:
    """Return the resolution of each key, locked unless it is resolved; call in a transaction.

    The lock keeps a resolution from being finished between this look at its status and the commit
    that ties requests to it; else these would wait for an answer that has been given out already.

    Args:
        askers: Requests by key.
        ruleset: The one that answers now.
        now: The present.
    """
    present = {
        resolution.key: resolution
        for resolution in Resolution.objects.filter(ruleset=ruleset, key__in=askers)
    }
    missing = [key for key in askers if key not in present]
    known = _still_valid({key: askers[key] for key in missing}, ruleset)
    known |= {key: found for key, found in present.items() if found.is_resolved}
    others = sorted(key for key in askers if key not in known)
    if not others:
        return known
    made = _make({key: askers[key] for key in others if key not in present}, ruleset, now)
    # In one order everywhere, so that two admissions cannot wait for each other.
    locked = list(
        Resolution.objects.filter(ruleset=ruleset, key__in=others)
        .select_for_update()
        .order_by("id")
    )
    _hurry(locked, askers)
    reopened = _reopen(locked, now)
    if made or reopened:
        RESOLVE.ring(min(made + reopened, settings.PAVE_WORKERS))
    return known | {resolution.key: resolution for resolution in locked}


def may_differ(request: NormalizationRequest, resolution: Resolution, ruleset: Ruleset) -> bool:
    """Return whether ``ruleset`` may answer ``request`` otherwise than an older resolution."""
    if resolution.ruleset_id == ruleset.number or not rulesets.is_ours():
        return False
    changes = rulesets.changes(resolution.ruleset_id, ruleset.number)
    return changes.may_affect(request.as_transaction(), resolution.answer)


def _still_valid(askers: Askers, ruleset: Ruleset) -> dict[str, Resolution]:
    """Return the answers of earlier rulesets that what was published since cannot have changed."""
    if not askers:
        return {}
    found: dict[str, Resolution] = {}
    for resolution in Resolution.objects.filter(
        key__in=askers, status=Resolution.Status.RESOLVED, ruleset__lt=ruleset.number
    ).order_by("ruleset"):
        found[resolution.key] = resolution  # the newest stays
    return {
        key: resolution
        for key, resolution in found.items()
        if not any(may_differ(request, resolution, ruleset) for request in askers[key])
    }


def _make(askers: Askers, ruleset: Ruleset, now: datetime) -> int:
    """Write a resolution for each new question; one that another admission wrote stays."""
    Resolution.objects.bulk_create(
        [
            Resolution(
                key=key,
                ruleset=ruleset,
                transaction=as_json(requests[0]),
                next_attempt_at=now,
                bulk=_only_batches(requests),
            )
            for key, requests in sorted(askers.items())
        ],
        ignore_conflicts=True,
    )
    return len(askers)


def _hurry(locked: Sequence[Resolution], askers: Askers) -> None:
    """Let a question of a batch's that somebody now asks by itself be worked on as the latter."""
    hurried = [
        resolution.pk
        for resolution in locked
        if resolution.bulk and not _only_batches(askers[resolution.key])
    ]
    if hurried:
        Resolution.objects.filter(pk__in=hurried).update(bulk=False)


def _only_batches(requests: Sequence[NormalizationRequest]) -> bool:
    return all(request.batch_id is not None for request in requests)


def _reopen(locked: Sequence[Resolution], now: datetime) -> int:
    """Give questions that failed long enough ago new tries; return how many."""
    reopened = [
        resolution
        for resolution in locked
        if resolution.status == Resolution.Status.FAILED
        and resolution.finished_at is not None
        and resolution.finished_at < now - FAILURE_MEMORY
    ]
    for resolution in reopened:
        resolution.status = Resolution.Status.PENDING
    if reopened:
        Resolution.objects.filter(pk__in=[resolution.pk for resolution in reopened]).update(
            status=Resolution.Status.PENDING, attempts=0, next_attempt_at=now, error=""
        )
    return len(reopened)


def as_json(request: NormalizationRequest) -> dict[str, Any]:
    """Return a request's transaction as its resolution keeps it; ``transaction_of`` reads it."""
    return {
        "description": request.description,
        "amount": request.amount,
        "currency": request.currency,
        "date": request.date.isoformat() if request.date else "",
        "mcc": request.mcc,
        "country": request.country,
        "city": request.city,
    }
