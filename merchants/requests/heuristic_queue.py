"""The heuristic's queue: which clients wait for a resolution."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from django.db import transaction

from merchants.models import NormalizationRequest, Resolution, Waiter

# How often the sweep looks for requests that wait for nothing, in seconds, and at how many.
CHECK_SECONDS = 60
CHECK_BATCH = 2000
# The last pending resolution that the sweep of this process has looked at.
_checked_up_to: UUID | None = None


def add(
    resolutions: Sequence[Resolution],
    requests_by_key: Mapping[str, Sequence[NormalizationRequest]],
    now: datetime,
) -> None:
    """Put the clients that ask in the queue, where they are not in it already."""
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
    Waiter.objects.bulk_create(waiters, ignore_conflicts=True)
    hastened: dict[int, list[UUID]] = {}
    for waiter in waiters:
        if not waiter.bulk:
            hastened.setdefault(waiter.client_id, []).append(waiter.resolution_id)
    for client, asked in sorted(hastened.items()):
        # What only a batch's rows waited for, and the client now asks by itself.
        Waiter.objects.filter(resolution__in=asked, client=client, bulk=True).update(bulk=False)


def _is_bulk(request: NormalizationRequest) -> bool:
    """Return whether nobody waits for just this one: a batch's row, or an answer to be revised."""
    return request.batch_id is not None or request.completed_at is not None


# In the statements of the next two, one table is read at a time: a plan made of statistics that are
# older than a large batch may join them row by row, and then holds all others up for minutes.
def drop_unawaited(resolutions: Collection[UUID]) -> None:
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


def remove(
    resolutions: Collection[UUID], clients: Collection[int], *, but_revisions: bool = False
) -> None:
    """Remove the waiters of clients that have no request left which waits for the resolution.

    Args:
        resolutions: Locked ones, so that nobody begins to wait for them.
        clients: Their primary keys.
        but_revisions: Leave those that wait to revise an answer.
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
    Waiter.objects.filter(
        pk__in=[pk for pk, request in waiters.items() if request not in answered]
    ).delete()


def restore_missing(now: datetime) -> None:
    """Put in the queue what is to be resolved and is not in it, for the first client that asked.

    Admission does that. This is for what a cluster of the release before has admitted, or what
    somebody has changed by hand. What no client asks for any more is dropped.
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
