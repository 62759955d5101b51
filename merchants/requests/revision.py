"""Revises earlier answers after a ruleset was published.

A revision examines a window of answered requests, newest first, in batches. If the new ruleset may
give another answer, that is computed; if it differs, the request gets it and its client a
``normalization.updated``. Other requests are not touched. Clients of whom somebody keeps rows
locked are left out, and their requests examined once more at the end.
"""

import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from merchants.catalogue import rulesets
from merchants.models import NormalizationRequest, Resolution, Revision, Ruleset
from merchants.requests import batches, completion, fair_share, worker
from merchants.requests.events import describe
from merchants.requests.resolutions.claims import claim
from merchants.requests.resolutions.keys import ALONE, StoredKey, key_of
from merchants.requests.resolutions.lookup import RequestsByKey, find_or_create, lock_answers
from merchants.wakeups import REVISE
from pave.core import clock
from pave.core.database import lock_limit
from pave.core.database.locked_rows import do_unlocked
from pave.core.ids import first_id_at
from pave.operations.cluster import shutdown
from pave.operations.cluster.db_retry import DATABASE_ERRORS
from pave.operations.cluster.worker_names import worker_name

logger = logging.getLogger(__name__)

BATCH = 500
# The slice of time of one task, in seconds; then other work may run.
SLICE_SECONDS = 10.0
# How long to wait for a row that somebody else has locked, in seconds.
LOCK_SECONDS = 2.0
# After this the requests of such clients are examined once more.
LOCKED_PAUSE = timedelta(seconds=15)

# What has failed for the revision that this process works on. A post may reopen it, again and
# again: the revision does not wait for it any more.
_failed: set[UUID] = set()


def revise() -> int:
    """Advance the running revision for a slice; return how many requests were examined."""
    revision = _claim()
    if revision is None:
        return 0
    examined = 0
    end = time.monotonic() + SLICE_SECONDS
    while time.monotonic() < end and not shutdown.requested():
        batch = _next_batch(revision)
        if not batch:
            if revision.locked_clients:
                _begin_again(revision)
            else:
                _finish(revision)
            return examined
        changed, done = _revise_unlocked(revision, batch, end)
        # The next slice repeats the batch, and finds the first part done.
        count, still_ours = _advance(revision, batch if done else {}, changed)
        examined += count
        if not still_ours:
            return examined  # a newer ruleset has taken over
    _ours(revision).update(lease_expires_at=None, claimed_by="")
    REVISE.send()
    return examined


def sweep() -> None:
    """Wake a worker for an unclaimed revision; notify of corrections by a superseded one."""
    if _unclaimed().exists():
        REVISE.send()
    # While it examines few clients' requests once more, the others' batches do not wait.
    if not Revision.objects.filter(status=Revision.Status.RUNNING, clients__isnull=True).exists():
        batches.notify_of_corrections()


def requeue(*, worker: str) -> None:
    """Release the revision of the dead ``worker``, or of any worker of a dead cluster."""
    Revision.objects.filter(status=Revision.Status.RUNNING, claimed_by__startswith=worker).update(
        lease_expires_at=None, claimed_by=""
    )


def _unclaimed() -> QuerySet[Revision]:
    ended_by = clock.leases_ended_by(settings.PAVE_RESOLUTION_LEASE)
    return Revision.objects.filter(status=Revision.Status.RUNNING).filter(
        Q(lease_expires_at=None) | Q(lease_expires_at__lte=ended_by)
    )


def _claim() -> Revision | None:
    revision = _unclaimed().order_by("id").last()
    if revision is None or not _unclaimed().filter(pk=revision.pk).update(
        claimed_by=worker_name(), lease_expires_at=_lease()
    ):
        return None
    revision.refresh_from_db()
    return revision


def _lease() -> datetime:
    return timezone.now() + timedelta(seconds=settings.PAVE_RESOLUTION_LEASE)


def _next_batch(revision: Revision) -> dict[UUID, int]:
    """Return the next older answered requests, newest first, each with its client."""
    requests = NormalizationRequest.objects.answered(revision.since)
    # Ends where the window begins, so older rows are not read.
    requests = requests.filter(pk__gte=first_id_at(revision.since))
    if revision.clients is not None:
        requests = requests.filter(client__in=revision.clients)
    if revision.locked_clients:
        requests = requests.exclude(client__in=revision.locked_clients)
    if revision.position:
        requests = requests.filter(pk__lt=revision.position)
    return dict(requests.order_by("-id").values_list("pk", "client_id")[:BATCH])


def _revise_unlocked(revision: Revision, batch: Mapping[UUID, int], end: float) -> tuple[int, bool]:
    """Correct the requests of a batch, until about ``end``.

    If locks are not got, it goes from client to client, to find whose they are, as it does in later
    passes; these are added to ``locked_clients``.

    Returns:
        How many were corrected, and whether the batch is done, but for these clients'.
    """
    changed, all_done = 0, True

    def revise(clients: Sequence[int], lock_seconds: float) -> None:
        nonlocal changed, all_done
        of_clients = [request for request, client in batch.items() if client in set(clients)]
        count, done = _revise_batch(of_clients, revision.ruleset, end, lock_seconds)
        changed += count
        all_done &= done

    left = do_unlocked(
        list(dict.fromkeys(batch.values())),
        revise,
        together_seconds=LOCK_SECONDS if revision.clients is None else None,
        apart_seconds=end - time.monotonic(),
    )
    if left.locked:
        # By somebody who may have forgotten it; and no ruleset is published meanwhile.
        logger.warning(
            "revision.locked", extra={"ruleset": revision.ruleset_id, "clients": left.locked}
        )
        revision.locked_clients += left.locked
    return changed, all_done and not left.untried


def _revise_batch(
    batch: Collection[UUID], ruleset: Ruleset, end: float, lock_seconds: float
) -> tuple[int, bool]:
    """Correct requests, until about ``end`` (a monotonic time).

    Returns:
        How many were corrected, and whether all are done.

    Raises:
        Locked: Somebody keeps rows locked; a part may be done.
    """
    requests = NormalizationRequest.objects.select_related("resolution").filter(pk__in=batch)
    affected = _affected(requests, ruleset)
    resolutions = _resolutions_for(affected, ruleset, lock_seconds)
    changed: list[tuple[NormalizationRequest, Resolution]] = []
    done = True
    for key, same in affected.items():
        answered = resolutions[key.text]
        if _is_open(answered) and time.monotonic() <= end:
            answered = _resolved(answered, {key: same}, ruleset, end, lock_seconds)
        if answered.status == Resolution.Status.FAILED:
            _failed.add(answered.pk)
        if answered.is_resolved:
            changed += [
                (request, answered)
                for request in same
                if describe(request, answered)["merchant"]
                != describe(request, request.resolution)["merchant"]
            ]
        elif answered.pk not in _failed:  # then the earlier answer stays
            done = False
    updated, all_there = _apply(changed, ruleset, lock_seconds)
    return updated, done and all_there


def _is_open(resolution: Resolution) -> bool:
    return not resolution.is_resolved and resolution.pk not in _failed


def _affected(
    requests: Iterable[NormalizationRequest], ruleset: Ruleset
) -> dict[StoredKey, list[NormalizationRequest]]:
    """Return the requests that the ruleset may answer differently, by their new keys."""
    heuristic = rulesets.heuristic_for(ruleset.number)
    affected: dict[StoredKey, list[NormalizationRequest]] = {}
    for request in requests:
        try:
            if request.resolution and rulesets.may_differ(request, request.resolution, ruleset):
                affected.setdefault(key_of(request, heuristic, ALONE), []).append(request)
        except DATABASE_ERRORS:
            raise
        except Exception:
            # This request keeps its answer; the others are not affected.
            logger.exception("revision.no_key", extra={"request": request.pk})
    return affected


def _resolutions_for(
    requests_by_key: RequestsByKey, ruleset: Ruleset, lock_seconds: float
) -> dict[str, Resolution]:
    with lock_limit.atomic(lock_seconds=lock_seconds):
        return find_or_create(requests_by_key, ruleset, timezone.now())


def _resolved(
    resolution: Resolution,
    requests_by_key: RequestsByKey,
    ruleset: Ruleset,
    end: float,
    lock_seconds: float,
) -> Resolution:
    """Return the resolution with its answer, running the heuristic if it has none.

    It has none if it failed, if another worker still runs it at ``end``, or if there is a newer
    ruleset, which has a revision of its own.
    """
    while resolution.status in (Resolution.Status.PENDING, Resolution.Status.RUNNING):
        claimed = claim(worker=worker_name(), pk=resolution.pk)
        if claimed:
            worker.work(claimed)
        elif time.monotonic() > end:
            return resolution
        else:
            time.sleep(0.1)  # another worker runs it, or it pauses after a failure
        try:
            resolution.refresh_from_db()
        except Resolution.DoesNotExist:
            if rulesets.current().number != ruleset.number:
                return resolution
            # It was dropped, since all requests that waited for it were canceled.
            (resolution,) = _resolutions_for(requests_by_key, ruleset, lock_seconds).values()
    return resolution


def _apply(
    changed: Sequence[tuple[NormalizationRequest, Resolution]],
    ruleset: Ruleset,
    lock_seconds: float,
) -> tuple[int, bool]:
    """Assign requests to their new answers and notify their clients, in pages.

    Returns:
        How many there were, and whether all answers still existed and the ruleset is the newest.
    """
    left = sorted(changed, key=lambda pair: pair[0].pk)
    updated, all_there = 0, True
    while left and all_there:
        some = fair_share.affordable([(pair[0].client_id, pair[0].batch_id, pair) for pair in left])
        count, all_there = _apply_some(some, ruleset, lock_seconds)
        updated += count
        taken = {request.pk for request, _ in some}
        left = [pair for pair in left if pair[0].pk not in taken]
    return updated, all_there


def _apply_some(
    changed: Sequence[tuple[NormalizationRequest, Resolution]],
    ruleset: Ruleset,
    lock_seconds: float,
) -> tuple[int, bool]:
    now = timezone.now()
    with lock_limit.atomic():
        if rulesets.lock_current().number != ruleset.number:
            return 0, False
        lock_limit.limit_this(lock_seconds)  # also of the commit, which checks foreign keys
        kept = lock_answers(resolution for _, resolution in changed)
        still_there = [pair for pair in changed if pair[1].pk in kept]
        updated = completion.correct(still_there, ruleset, now)
    return updated, len(kept) == len({resolution.pk for _, resolution in changed})


def _advance(revision: Revision, batch: Mapping[UUID, int], changed: int) -> tuple[int, bool]:
    """Record the revision's progress.

    Returns:
        How many requests are examined now, and whether this worker still holds the revision.
    """
    if batch:
        revision.position = min(batch)
    examined = sum(client not in revision.locked_clients for client in batch.values())
    still_ours = _ours(revision).update(
        position=revision.position,
        locked_clients=revision.locked_clients,
        examined=F("examined") + examined,
        changed=F("changed") + changed,
        lease_expires_at=_lease(),
    )
    return examined, bool(still_ours)


def _ours(revision: Revision) -> QuerySet[Revision]:
    """Select the revision if this worker still holds it."""
    return Revision.objects.filter(
        pk=revision.pk, status=Revision.Status.RUNNING, claimed_by=worker_name()
    )


def _begin_again(revision: Revision) -> None:
    """Have the requests of those who were left out examined once more, after a pause."""
    batches.notify_of_corrections()
    _ours(revision).update(
        position=None,
        clients=revision.locked_clients,
        locked_clients=[],
        lease_expires_at=timezone.now() + LOCKED_PAUSE,
        claimed_by="",
    )


def _finish(revision: Revision) -> None:
    batches.notify_of_corrections()
    _failed.clear()
    if not _ours(revision).update(
        status=Revision.Status.DONE,
        finished_at=timezone.now(),
        **Revision.NO_PROGRESS,
        lease_expires_at=None,
        claimed_by="",
    ):
        return
    revision.refresh_from_db()
    logger.info(
        "revision.done",
        extra={
            "ruleset": revision.ruleset_id,
            "examined": revision.examined,
            "changed": revision.changed,
        },
    )
