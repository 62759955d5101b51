"""The heuristic's queue: which clients wait for a resolution."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import F

from merchants.models import NormalizationRequest, Resolution, Waiter
from pave.core.database import lock_limit

# How often the sweep looks for resolutions without waiters, in seconds, and at how many.
CHECK_SECONDS = 60
CHECK_BATCH = 2000
# How long to wait for waiters that somebody else has locked, in seconds.
LOCK_SECONDS = 2.0
# The last pending resolution that the sweep of this process has examined.
_checked_up_to: UUID | None = None


def add(
    resolutions: Sequence[Resolution],
    requests_by_key: Mapping[str, Sequence[NormalizationRequest]],
    now: datetime,
    *,
    new: Collection[UUID],
) -> None:
    """Add the clients to the queue, unless they are in it; wait for no lock on its rows.

    Args:
        resolutions: Locked ones.
        requests_by_key: The requests that wait for them.
        now: The present.
        new: Those of the resolutions that this transaction has created; no client waits for them.
    """
    old = [resolution for resolution in resolutions if resolution.pk not in new]
    present = Waiter.objects.filter(resolution__in=old).order_by()
    queued = set(present.values_list("resolution_id", "client_id"))
    waiters = []
    for resolution in resolutions:
        by_client: dict[int, list[NormalizationRequest]] = {}
        for request in requests_by_key[resolution.key]:
            by_client.setdefault(request.client_id, []).append(request)
        for client, requests in sorted(by_client.items()):
            waiters.append(
                Waiter(
                    resolution=resolution,
                    client_id=client,
                    request=requests[0],
                    bulk=all(map(_is_bulk, requests)),
                    since=now,
                    due_at=now,
                )
            )
    missing = [
        waiter for waiter in waiters if (waiter.resolution_id, waiter.client_id) not in queued
    ]
    Waiter.objects.bulk_create(missing, ignore_conflicts=True)
    hastened: dict[int, list[UUID]] = {}
    for waiter in waiters:
        if not waiter.bulk and (waiter.resolution_id, waiter.client_id) in queued:
            hastened.setdefault(waiter.client_id, []).append(waiter.resolution_id)
    for client, asked in sorted(hastened.items()):
        # Only rows of batches waited so far, and now a single request does.
        of_batches = present.filter(resolution__in=asked, client=client, bulk=True)
        of_batches.unlocked().update(bulk=False)


def set_due(resolutions: Collection[UUID], due_at: datetime | F) -> int:
    """Set when the waiters of locked resolutions are due; return how many have it.

    Claims lock them for a moment, and are waited for; those that stay locked keep the lease's end.
    """
    waiters = Waiter.objects.filter(resolution__in=resolutions)
    try:
        with lock_limit.atomic(lock_seconds=LOCK_SECONDS):
            # In the order of their ids, to avoid deadlocks.
            locked = waiters.select_for_update(of=("self",)).order_by("id")
            pks = list(locked.values_list("pk", flat=True))
            return Waiter.objects.filter(pk__in=pks).update(due_at=due_at)
    except lock_limit.Locked:
        return waiters.unlocked().update(due_at=due_at)


def _is_bulk(request: NormalizationRequest) -> bool:
    """Return whether the request is not urgent: a row of a batch, or an answer to be revised."""
    return request.batch_id is not None or request.completed_at is not None


# The statements of the next two functions read one table each: with statistics from before a large
# batch, PostgreSQL may join row by row, and block all others for minutes.
def drop_unawaited(resolutions: Collection[UUID]) -> None:
    """Drop resolutions that no request waits for any more, without waiting for locks."""
    pending = Resolution.objects.filter(pk__in=resolutions, status=Resolution.Status.PENDING)
    with transaction.atomic():
        locked = set(
            pending.select_for_update(skip_locked=True).order_by("id").values_list("pk", flat=True)
        )
        for asked in (Waiter.objects.all(), NormalizationRequest.objects.all()):
            wanted = asked.filter(resolution__in=locked).order_by()
            locked -= set(wanted.values_list("resolution", flat=True).distinct())
        Resolution.objects.filter(pk__in=locked).delete()


def remove(
    resolutions: Collection[UUID], clients: Collection[int], *, but_revisions: bool = False
) -> None:
    """Remove the waiters of clients without a request that waits for the resolution.

    Those that somebody else has locked stay until they are due.

    Args:
        resolutions: Locked ones, so that no request begins to wait for them.
        clients: Their primary keys.
        but_revisions: Whether to keep waiters of revisions.
    """
    processing = NormalizationRequest.objects.filter(
        resolution__in=resolutions,
        client__in=clients,
        status=NormalizationRequest.Status.PROCESSING,
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
            pk__in=waiters.values(), status=NormalizationRequest.Status.COMPLETED
        )
        answered = set(requests.values_list("pk", flat=True))
    unneeded = [pk for pk, request in waiters.items() if request not in answered]
    Waiter.objects.filter(pk__in=unneeded).unlocked().delete()


def restore_missing(now: datetime) -> None:
    """Queue pending resolutions without a waiter, for the first client that needs them.

    Admission does this normally. The sweep covers what a cluster of an earlier release has admitted
    and what was changed by hand. A resolution that no request needs is dropped.
    """
    global _checked_up_to
    pending = Resolution.objects.filter(
        status=Resolution.Status.PENDING, created_at__lt=now - timedelta(seconds=CHECK_SECONDS)
    ).order_by("id")
    if _checked_up_to:
        pending = pending.filter(pk__gt=_checked_up_to)
    page = list(pending.values_list("pk", flat=True)[:CHECK_BATCH])
    _checked_up_to = page[-1] if len(page) == CHECK_BATCH else None
    waited_for = Waiter.objects.filter(resolution__in=page).order_by()
    lost = set(page) - set(waited_for.values_list("resolution", flat=True))
    asking = NormalizationRequest.objects.filter(status=NormalizationRequest.Status.PROCESSING)
    firsts = [next(iter(asking.filter(resolution=pk).order_by()[:1]), None) for pk in sorted(lost)]
    waited_for_by_some = {request.resolution_id for request in firsts if request is not None}
    drop_unawaited(lost - waited_for_by_some)
    Waiter.objects.bulk_create(
        [
            Waiter(
                resolution_id=cast(UUID, request.resolution_id),
                client_id=request.client_id,
                request=request,
                bulk=request.batch_id is not None,
                since=request.created_at,
                due_at=now,
            )
            for request in firsts
            if request is not None
        ],
        ignore_conflicts=True,
    )
