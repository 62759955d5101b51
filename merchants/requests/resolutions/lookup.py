"""Finds or creates the resolution of each key."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import connection

from merchants.catalogue import rulesets
from merchants.models import NormalizationRequest, Resolution, Ruleset, Waiter
from merchants.requests import heuristic_queue
from merchants.requests.resolutions.keys import IN_A_BATCH, StoredKey, key_of
from merchants.wakeups import RESOLVE
from pave.clients.models import Client
from pave.core.card_numbers.masking import without_card_numbers

# How long a failed resolution is not reopened: a client that sends its key again within this time
# gets the same failure, so that a transaction that kills workers cannot kill one after the other.
FAILURE_CACHED_FOR = timedelta(minutes=5)
RequestsByKey = Mapping[StoredKey, Sequence[NormalizationRequest]]


def find_or_create(
    requests_by_key: RequestsByKey, ruleset: Ruleset, now: datetime, *, skip_locked: bool = False
) -> dict[str, Resolution]:
    """Return the resolution of each key, locked unless it is resolved; call in a transaction.

    The lock keeps a resolution from being finished between this look at its status and the commit
    that assigns requests to it; else these would wait for an answer that has been delivered
    already. Clients whose requests have to wait are put in the heuristic's queue.

    Args:
        requests_by_key: Requests by key.
        ruleset: The current one.
        now: The present.
        skip_locked: Whether to leave out keys whose resolution somebody else has locked, and not to
            wait for them.

    Returns:
        Resolutions by the text of their key.
    """
    by_text = {key.text: requests for key, requests in requests_by_key.items()}
    present = {
        resolution.key: resolution
        for resolution in Resolution.objects.filter(ruleset=ruleset, key__in=by_text)
    }
    missing = {key: by_text[key] for key in by_text if key not in present}
    cached = _still_valid(missing, ruleset)
    cached |= {key: row for key, row in present.items() if row.is_resolved}
    kept = lock_answers(cached.values(), skip_locked=skip_locked)
    cached = {key: resolution for key, resolution in cached.items() if resolution.pk in kept}
    others = {key.text: key for key in requests_by_key if key.text not in cached}
    if not others:
        return cached
    existing = {key for key, row in present.items() if not row.is_resolved}
    locked, created = _locked(others, existing, ruleset, skip_locked=skip_locked)
    _reopen(locked, by_text, now)
    unresolved = [resolution for resolution in locked if _is_open(resolution)]
    heuristic_queue.add(unresolved, by_text, now, new=created)
    if unresolved:
        RESOLVE.send(min(len(unresolved), settings.PAVE_WORKERS))
    return cached | {resolution.key: resolution for resolution in locked}


def is_cached(client: Client, fields: dict[str, Any]) -> bool:
    """Return whether the answer for a transaction is cached.

    Args:
        client: The client that sends it.
        fields: The transaction's fields, named as the model's.
    """
    if not rulesets.uses_rulesets():
        return False  # its key may take any time, so only the cluster computes it
    request = NormalizationRequest(client=client, **without_card_numbers(fields))
    ruleset = rulesets.current()
    key = key_of(request, rulesets.heuristic_for(ruleset.number), IN_A_BATCH).text
    answered = Resolution.objects.filter(key=key, ruleset=ruleset)
    return answered.filter(status=Resolution.Status.RESOLVED).exists() or bool(
        _still_valid({key: [request]}, ruleset)
    )


def _still_valid(
    requests_by_key: Mapping[str, Sequence[NormalizationRequest]], ruleset: Ruleset
) -> dict[str, Resolution]:
    """Return answers of earlier rulesets that later publications cannot have changed."""
    if not requests_by_key:
        return {}
    newest: dict[str, Resolution] = {}
    for resolution in Resolution.objects.filter(
        key__in=requests_by_key, status=Resolution.Status.RESOLVED, ruleset__lt=ruleset.number
    ).order_by("ruleset_id"):
        newest[resolution.key] = resolution
    return {
        key: resolution
        for key, resolution in newest.items()
        if not any(
            rulesets.may_differ(request, resolution, ruleset) for request in requests_by_key[key]
        )
    }


def lock_answers(resolutions: Iterable[Resolution], *, skip_locked: bool = False) -> set[UUID]:
    """Keep answers from being removed until the transaction ends; return those that still exist.

    It is the lock that a foreign key's check takes, which is shared.

    Args:
        resolutions: The answers.
        skip_locked: Whether to leave out those that somebody else has locked, and not to wait.
    """
    pks = sorted({resolution.pk for resolution in resolutions})
    if not pks or connection.vendor != "postgresql":  # SQLite's transactions do not overlap
        return set(pks)
    table = connection.ops.quote_name(Resolution._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {table} "  # noqa: S608 - the name of our own table
            f"WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE {'SKIP LOCKED' if skip_locked else ''}",
            [pks],
        )
        return {pk for (pk,) in cursor.fetchall()}


def _locked(
    keys: Mapping[str, StoredKey],
    existing: Collection[str],
    ruleset: Ruleset,
    *,
    skip_locked: bool = False,
) -> tuple[list[Resolution], set[UUID]]:
    """Lock the resolutions of keys; create those that do not exist, or no longer do.

    Returns:
        The resolutions, and the ids of those that were created.
    """
    locked: dict[str, Resolution] = {}
    created: set[UUID] = set()
    missing = keys.keys() - existing
    some_left = True
    while some_left:
        created |= _create([keys[key] for key in missing], ruleset)
        rows = Resolution.objects.filter(ruleset=ruleset, key__in=keys.keys() - locked.keys())
        # In the same order everywhere, to avoid deadlocks. No key: admissions lock others' answers
        # meanwhile, in another order (``lock_answers``).
        free = rows.select_for_update(no_key=True, skip_locked=skip_locked).order_by("id")
        locked |= {row.key: row for row in free}
        missing = keys.keys() - locked.keys()
        if missing and skip_locked:
            missing -= set(rows.values_list("key", flat=True))
        some_left = bool(missing)
    return list(locked.values()), created & {row.pk for row in locked.values()}


def _create(keys: Iterable[StoredKey], ruleset: Ruleset) -> set[UUID]:
    """Insert a resolution for each new key, unless another admission has; return their ids."""
    resolutions = [
        Resolution(key=key.text, client_id=key.client, ruleset=ruleset)
        for key in sorted(keys, key=lambda key: key.text)
    ]
    Resolution.objects.bulk_create(resolutions, ignore_conflicts=True)
    return {resolution.pk for resolution in resolutions}


def _is_open(resolution: Resolution) -> bool:
    return resolution.status in (Resolution.Status.PENDING, Resolution.Status.RUNNING)


def _reopen(
    locked: Sequence[Resolution],
    requests_by_key: Mapping[str, Sequence[NormalizationRequest]],
    now: datetime,
) -> None:
    """Reopen failed resolutions: after a while, or for a client that has not got the failure.

    The heuristic may have failed on another client's text. A request whose answer is revised
    reopens none, and keeps its answer: else a revision would never end where all of a batch's
    failures take longer than this while.
    """
    failed = {
        resolution.key: resolution
        for resolution in locked
        if resolution.status == Resolution.Status.FAILED and resolution.finished_at is not None
    }
    if not failed:
        return
    failures = NormalizationRequest.objects.filter(
        resolution__in=failed.values(),
        client__in={request.client_id for key in failed for request in requests_by_key[key]},
        status=NormalizationRequest.Status.FAILED,
    )
    notified = set(failures.order_by().values_list("resolution_id", "client_id").distinct())
    reopened = [
        resolution
        for key, resolution in failed.items()
        if any(
            cast(datetime, resolution.finished_at) < now - FAILURE_CACHED_FOR
            or (resolution.pk, request.client_id) not in notified
            for request in requests_by_key[key]
            if request.completed_at is None
        )
    ]
    for resolution in reopened:
        resolution.status = Resolution.Status.PENDING
    if reopened:
        Resolution.objects.filter(pk__in=[resolution.pk for resolution in reopened]).update(
            status=Resolution.Status.PENDING, attempts=0, error=""
        )
        # Clients that have not been notified of the failure.
        waiters = Waiter.objects.filter(resolution__in=[row.pk for row in reopened])
        waiters.unlocked().update(due_at=now)
