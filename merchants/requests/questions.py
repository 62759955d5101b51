"""Finding or making the resolution of each key, and who waits for it."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac

from merchants.catalogue import rulesets
from merchants.matching.heuristic import Heuristic
from merchants.matching.types import Key
from merchants.models import KEY_LENGTH, NormalizationRequest, Resolution, Ruleset, Waiter
from merchants.requests.heuristic_run import HeuristicTimeout, time_limit
from merchants.wakeups import RESOLVE
from pave.clients.models import Client
from pave.core.card_masking import without_card_numbers

# How long a question that could not be answered is not asked again: a client that asks it again
# within this time gets the same failure, so that one that kills workers cannot kill them in turn.
FAILURE_MEMORY = timedelta(minutes=5)


class StoredKey(NamedTuple):
    """A key as a resolution's row has it.

    Args:
        text: A shared key in clear, else a digest, which differs from client to client.
        client: The primary key of the only client that has its answer; None for all.
    """

    text: str
    client: int | None


class Limits(NamedTuple):
    """How long a heuristic's ``key`` may take, in seconds of CPU time and by the wall clock.

    It is a matter of microseconds, but for what is loaded first. The machine may be busy.
    """

    cpu: float
    wall: float


# Together with others, and alone.
IN_A_BATCH = Limits(cpu=1.0, wall=4.0)
ALONE = Limits(cpu=5.0, wall=20.0)

Askers = Mapping[StoredKey, Sequence[NormalizationRequest]]


def key_of(request: NormalizationRequest, heuristic: Heuristic, limits: Limits) -> StoredKey:
    """Return what makes requests the same question under a heuristic.

    Raises:
        TimeoutError: The heuristic's ``key`` takes longer than it may.
        Exception: Whatever it raises.
    """
    try:
        with time_limit(limits.wall, cpu_seconds=limits.cpu):
            key = heuristic.key(request.as_transaction())
    except HeuristicTimeout as error:
        raise TimeoutError("The heuristic's key takes too long.") from error
    return stored(key, request.client_id)


def stored(key: Key | str, client: int) -> StoredKey:
    """Return a heuristic's key as the row of its resolution has it, for a client's request.

    Free text of a client's does not stand in clear beside an answer, and only the client itself
    is spared a run by having asked before: else the time of an answer would tell one what others
    have asked. ``PAVE_SHARE_UNKNOWN`` gives that up.
    """
    key = key if isinstance(key, Key) else Key(key)
    text = key.text.encode("utf-8", "replace")
    if key.shared:
        short = len(key.text) <= KEY_LENGTH and key.text.isprintable()
        return StoredKey(key.text if short else f"sha256:{hashlib.sha256(text).hexdigest()}", None)
    owner = None if settings.PAVE_SHARE_UNKNOWN else client
    digest = salted_hmac("merchants.key", b"%d:%b" % (owner or 0, text), algorithm="sha256")
    return StoredKey(f"{'all' if owner is None else 'own'}:{digest.hexdigest()}", owner)


def resolutions_for(askers: Askers, ruleset: Ruleset, now: datetime) -> dict[str, Resolution]:
    """Return the resolution of each key, locked unless it is resolved; call in a transaction.

    The lock keeps a resolution from being finished between this look at its status and the commit
    that ties requests to it; else these would wait for an answer that has been given out already.
    Clients whose requests have to wait are put in the heuristic's queue.

    Args:
        askers: Requests by key.
        ruleset: The one that answers now.
        now: The present.

    Returns:
        Resolutions by the text of their key.
    """
    by_text = {key.text: requests for key, requests in askers.items()}
    present = {
        resolution.key: resolution
        for resolution in Resolution.objects.filter(ruleset=ruleset, key__in=by_text)
    }
    missing = {key: by_text[key] for key in by_text if key not in present}
    cached = _still_valid(missing, ruleset)
    cached |= {key: found for key, found in present.items() if found.is_resolved}
    there = held(cached.values())
    cached = {key: resolution for key, resolution in cached.items() if resolution.pk in there}
    others = {key.text: key for key in askers if key.text not in cached}
    if not others:
        return cached
    known = {key for key, found in present.items() if not found.is_resolved}
    locked = _locked(others, known, ruleset)
    _reopen(locked, by_text, now)
    waited_for = [resolution for resolution in locked if _is_open(resolution)]
    _wait(waited_for, by_text, now)
    if waited_for:
        RESOLVE.send(min(len(waited_for), settings.PAVE_WORKERS))
    return cached | {resolution.key: resolution for resolution in locked}


def is_cached(client: Client, fields: dict[str, Any]) -> bool:
    """Return whether the answer for a transaction is there, without asking for it.

    Args:
        client: Who asks.
        fields: The transaction's, named as the model's.
    """
    if not rulesets.is_ours():
        return False  # its key may take any time, which is the cluster's to spend
    request = NormalizationRequest(client=client, **without_card_numbers(fields))
    ruleset = rulesets.current()
    key = key_of(request, rulesets.heuristic_for(ruleset.number), IN_A_BATCH).text
    answered = Resolution.objects.filter(key=key, ruleset=ruleset)
    return answered.filter(status=Resolution.Status.RESOLVED).exists() or bool(
        _still_valid({key: [request]}, ruleset)
    )


def may_differ(request: NormalizationRequest, resolution: Resolution, ruleset: Ruleset) -> bool:
    """Return whether ``ruleset`` may answer ``request`` otherwise than an older resolution."""
    if resolution.ruleset_id == ruleset.number or not rulesets.is_ours():
        return False
    changes = rulesets.changes(resolution.ruleset_id, ruleset.number)
    return changes.may_affect(request.as_transaction(), resolution.answer)


def _still_valid(
    askers: Mapping[str, Sequence[NormalizationRequest]], ruleset: Ruleset
) -> dict[str, Resolution]:
    """Return the answers of earlier rulesets that what was published since cannot have changed."""
    if not askers:
        return {}
    found: dict[str, Resolution] = {}
    for resolution in Resolution.objects.filter(
        key__in=askers, status=Resolution.Status.RESOLVED, ruleset__lt=ruleset.number
    ).order_by("ruleset_id"):
        found[resolution.key] = resolution  # the newest stays
    return {
        key: resolution
        for key, resolution in found.items()
        if not any(may_differ(request, resolution, ruleset) for request in askers[key])
    }


def held(resolutions: Iterable[Resolution]) -> set[UUID]:
    """Keep answers from being removed until the transaction ends; return those still there.

    That is the lock of a foreign key's check, taken before the row is tied: others take it too.
    """
    pks = sorted({resolution.pk for resolution in resolutions})
    if not pks or connection.vendor != "postgresql":  # SQLite's transactions do not overlap
        return set(pks)
    table = connection.ops.quote_name(Resolution._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {table} WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE",  # noqa: S608
            [pks],
        )
        return {pk for (pk,) in cursor.fetchall()}


def _locked(
    keys: Mapping[str, StoredKey], known: Collection[str], ruleset: Ruleset
) -> list[Resolution]:
    """Lock the resolutions of keys; make those that were not ``known``, or went since."""
    found: dict[str, Resolution] = {}
    missing = keys.keys() - known
    while len(found) < len(keys):
        _make([keys[key] for key in missing], ruleset)
        rows = Resolution.objects.filter(ruleset=ruleset, key__in=keys.keys() - found.keys())
        # In one order everywhere, so that two admissions cannot wait for each other.
        # No key: admissions hold others' answers meanwhile, in an order of their own (``held``).
        found |= {row.key: row for row in rows.select_for_update(no_key=True).order_by("id")}
        missing = keys.keys() - found.keys()
    return list(found.values())


def _make(keys: Iterable[StoredKey], ruleset: Ruleset) -> None:
    """Write a resolution for each new key; one that another admission wrote stays."""
    Resolution.objects.bulk_create(
        [
            Resolution(key=key.text, client_id=key.client, ruleset=ruleset)
            for key in sorted(keys, key=lambda key: key.text)
        ],
        ignore_conflicts=True,
    )


def _wait(
    resolutions: Sequence[Resolution],
    askers: Mapping[str, Sequence[NormalizationRequest]],
    now: datetime,
) -> None:
    """Put the clients that ask in the queue, where they are not in it already."""
    waiters = []
    for resolution in resolutions:
        by_client: dict[int, list[NormalizationRequest]] = {}
        for request in askers[resolution.key]:
            by_client.setdefault(request.client_id, []).append(request)
        for client, requests in sorted(by_client.items()):
            waiters.append(
                Waiter(
                    resolution=resolution,
                    client_id=client,
                    request=requests[0],
                    bulk=all(map(_can_wait, requests)),
                    since=now,
                    due_at=now,
                )
            )
    Waiter.objects.bulk_create(waiters, ignore_conflicts=True)
    hurried: dict[int, list[UUID]] = {}
    for waiter in waiters:
        if not waiter.bulk:
            hurried.setdefault(waiter.client_id, []).append(waiter.resolution_id)
    for client, asked in sorted(hurried.items()):
        # What only a batch's rows waited for, and the client now asks by itself.
        Waiter.objects.filter(resolution__in=asked, client=client, bulk=True).update(bulk=False)


def _can_wait(request: NormalizationRequest) -> bool:
    """Return whether nobody waits for just this one: a batch's row, or an answer to be revised."""
    return request.batch_id is not None or request.completed_at is not None


def _is_open(resolution: Resolution) -> bool:
    return resolution.status in (Resolution.Status.PENDING, Resolution.Status.RUNNING)


def _reopen(
    locked: Sequence[Resolution],
    askers: Mapping[str, Sequence[NormalizationRequest]],
    now: datetime,
) -> None:
    """Give questions that failed new tries: after a while, or for one with whom they have not.

    It may have been another client's text that the heuristic could not answer.
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
        client__in={request.client_id for key in failed for request in askers[key]},
        status=NormalizationRequest.Status.FAILED,
    )
    told = set(failures.order_by().values_list("resolution_id", "client_id").distinct())
    reopened = [
        resolution
        for key, resolution in failed.items()
        if cast(datetime, resolution.finished_at) < now - FAILURE_MEMORY
        or any(
            (resolution.pk, request.client_id) not in told
            for request in askers[key]
            if request.completed_at is None  # one whose answer is revised keeps that
        )
    ]
    for resolution in reopened:
        resolution.status = Resolution.Status.PENDING
    if reopened:
        Resolution.objects.filter(pk__in=[resolution.pk for resolution in reopened]).update(
            status=Resolution.Status.PENDING, attempts=0, error=""
        )
        # Of those who have not been told of the failure yet.
        Waiter.objects.filter(resolution__in=[one.pk for one in reopened]).update(due_at=now)
