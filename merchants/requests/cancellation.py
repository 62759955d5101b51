"""Canceling requests, one by one or with their batch, before they are final."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from merchants.models import (
    Batch,
    NormalizationRequest,
    NormalizationRequestQuerySet,
    Resolution,
)
from merchants.requests import batches, completion, heuristic_queue
from merchants.wakeups import CANCEL
from pave.core.database import lock_limit
from pave.operations.cluster import shutdown

logger = logging.getLogger(__name__)
# Requests canceled in one transaction; the pause before locked ones are tried again, and how long
# to retry a single one, in seconds.
CANCEL_BATCH = 500
CANCEL_PAUSE = 0.05
CANCEL_SECONDS = 5.0
# How long to wait for a lock of somebody else's.
LOCK_SECONDS = 0.1
# How long a worker goes on with batches while other tasks wait for it, in seconds.
CANCEL_SLICE_SECONDS = 1.0


class InUse(Exception):
    """The request is being admitted or answered just now: try again."""


class AlreadyFinal(Exception):
    """The request is final and cannot be canceled."""


def cancel(*, request: NormalizationRequest) -> None:
    """Cancel a request that is not final yet. No event is published.

    Raises:
        AlreadyFinal: It is final.
        InUse: It is being admitted or answered, for longer than ``CANCEL_SECONDS``.
    """
    requests = NormalizationRequest.objects.filter(pk=request.pk)
    end = time.monotonic() + CANCEL_SECONDS
    while not _cancel_some(requests):
        if not requests.unfinished().exists():
            raise AlreadyFinal
        if time.monotonic() > end:
            raise InUse
        time.sleep(CANCEL_PAUSE)
    request.refresh_from_db()
    logger.info("request.canceled", extra={"request": request.pk})


def cancel_batch(*, batch: Batch) -> None:
    """Cancel a batch's rows that are not final yet. No event is published.

    Raises:
        AlreadyFinal: All of its rows are final.
    """
    opened = Batch.objects.open().filter(pk=batch.pk)
    if opened.filter(cancel_requested_at=None).update(cancel_requested_at=timezone.now()):
        # As many as take a moment. The cluster cancels the others; a repeat does nothing.
        _cancel_some(NormalizationRequest.objects.filter(batch=batch.pk))
        CANCEL.send()
    elif not opened.exists():
        raise AlreadyFinal
    batch.refresh_from_db()


def cancel_batches(*, between: Callable[[], object] = lambda: None) -> int:
    """Go on with batches that are to be canceled, for a slice of time, in any order.

    Args:
        between: Called after each page, for work that may have no other worker.

    Returns:
        How many rows were canceled.
    """
    canceled = 0
    end = time.monotonic() + CANCEL_SLICE_SECONDS
    some_left = True
    while some_left:
        some_left = False
        batches = Batch.objects.canceling().order_by("?").values_list("pk", flat=True)
        for batch_pk in list(batches):
            if time.monotonic() > end:
                return canceled
            for count in _walk(NormalizationRequest.objects.filter(batch=batch_pk)):
                some_left = True
                canceled += count
                between()
                if time.monotonic() > end or shutdown.requested():
                    return canceled  # the sweep wakes a worker again
    return canceled


def cancel_all(requests: NormalizationRequestQuerySet) -> int:
    """Cancel all of ``requests`` that are not final yet, in pages; return how many.

    Resolutions that no request waits for any more leave the heuristic's queue.
    """
    canceled, found_any = 0, True
    while found_any:
        found_any = False
        for count in _walk(requests):
            found_any = True
            canceled += count
    return canceled


def _walk(requests: NormalizationRequestQuerySet) -> Iterator[int]:
    """Cancel unfinished requests in one pass; yield the size of each page.

    A client or batch may have very many finished ones: they are skipped once, not for each page.
    """
    unfinished = requests.unfinished().order_by("id").values_list("pk", "resolution")
    page = list(unfinished[:CANCEL_BATCH])
    while page:
        count = _cancel(page)
        yield count
        if not count:
            time.sleep(CANCEL_PAUSE)  # these are being admitted or answered just now
        page = list(unfinished.filter(pk__gt=page[-1][0])[:CANCEL_BATCH])


def _cancel_some(requests: NormalizationRequestQuerySet) -> int:
    """Cancel the first of the unfinished requests; return how many."""
    return next(_walk(requests), 0)


def _cancel(pks: Sequence[tuple[UUID, UUID | None]]) -> int:
    """Cancel those that are not being admitted or answered just now; return how many.

    None where somebody else keeps locked what the event of a batch needs, as a webhook: whoever
    waits for the same answers would wait, too.

    Args:
        pks: Requests and their resolutions, by primary keys.
    """
    try:
        return _cancel_unlocked(pks)
    except lock_limit.Locked:
        logger.warning("cancel.locked")
        return 0


def _cancel_unlocked(pks: Sequence[tuple[UUID, UUID | None]]) -> int:
    now = timezone.now()
    with lock_limit.atomic(lock_seconds=LOCK_SECONDS):
        # Resolutions before their requests: the order in which answers lock them.
        asked = set(
            Resolution.objects.filter(pk__in={pk for _, pk in pks if pk})
            .select_for_update(skip_locked=True, no_key=True)
            .order_by("id")
            .values_list("pk", flat=True)
        )
        taken = list(
            NormalizationRequest.objects.unfinished()
            .filter(Q(resolution=None) | Q(resolution__in=asked), pk__in=[pk for pk, _ in pks])
            .select_for_update(skip_locked=True, of=("self",))
            .only("client_id", "batch_id", "created_at")
            .order_by("id")
        )
        completion.cancel(taken, now)
        clients = {request.client_id for request in taken}
        heuristic_queue.remove(asked, clients, but_revisions=True)
        heuristic_queue.drop_unawaited(asked)
        batches.count(taken, now=now)
    return len(taken)


def sweep() -> None:
    """Wake a worker for batches that are still to be canceled."""
    if Batch.objects.canceling().exists():
        CANCEL.send()
