"""Requests are taken back, one by one or with their batch, before they are final."""

import logging
import time

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from merchants.models import (
    Batch,
    NormalizationRequest,
    NormalizationRequestQuerySet,
    Resolution,
)
from merchants.requests import batches
from merchants.requests.completion import drop_unwanted, end_wait, finish, tally
from merchants.wakeups import CANCEL
from pave.operations.cluster import shutdown

logger = logging.getLogger(__name__)
Status = NormalizationRequest.Status
# Requests taken back in one transaction; the pause before those that are locked are tried again,
# and how long that is tried for a single one, in seconds.
CANCEL_BATCH = 1000
CANCEL_PAUSE = 0.05
CANCEL_SECONDS = 5.0
# For so long, in seconds, a worker goes on with batches while others wait for it.
CANCEL_SLICE_SECONDS = 2.0


class InUse(Exception):
    """The request is being admitted or answered just now: try again."""


class AlreadyFinal(Exception):
    """The request has its end: nothing can be changed about it."""


def cancel(*, request: NormalizationRequest) -> None:
    """Take back a request that is not final yet; its client is not told, since it knows.

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


def cancel_batch(*, batch: Batch) -> None:
    """Take back a batch's rows that are not final yet; its client is not told, since it knows.

    Raises:
        AlreadyFinal: All of its rows are final.
    """
    opened = Batch.objects.open().filter(pk=batch.pk)
    if opened.filter(cancel_requested_at=None).update(cancel_requested_at=timezone.now()):
        # As much as takes no time. The cluster does the others, and a repeat does nothing.
        _cancel_some(NormalizationRequest.objects.filter(batch=batch.pk))
        CANCEL.send()
    elif not opened.exists():
        raise AlreadyFinal
    batch.refresh_from_db()


def cancel_batches() -> int:
    """Go on with batches that are to be canceled, for a slice of time, in any order.

    Returns:
        How many rows were taken back.
    """
    canceled = 0
    end = time.monotonic() + CANCEL_SLICE_SECONDS
    batches_left = Batch.objects.canceling().order_by("?").values_list("pk", flat=True)
    while batch_pks := list(batches_left):
        count = 0
        for batch_pk in batch_pks:
            if time.monotonic() > end or shutdown.requested():
                return canceled + count  # the sweep wakes a worker again
            count += _cancel_some(NormalizationRequest.objects.filter(batch=batch_pk))
        canceled += count
        if not count:
            time.sleep(CANCEL_PAUSE)  # somebody is admitting or answering just these
    return canceled


def cancel_all(requests: NormalizationRequestQuerySet) -> int:
    """Take back all of ``requests`` that are not final yet, some at a time; return how many.

    What nobody waits for any more leaves the heuristic's queue.
    """
    canceled = 0
    while requests.unfinished().exists():
        count = _cancel_some(requests)
        canceled += count
        if not count:
            time.sleep(CANCEL_PAUSE)
    return canceled


def _cancel_some(requests: NormalizationRequestQuerySet) -> int:
    """Take back some that nobody is admitting or answering just now; wait for nobody's lock."""
    now = timezone.now()
    found = list(
        requests.unfinished().order_by("id").values_list("pk", "resolution")[:CANCEL_BATCH]
    )
    with transaction.atomic():
        # Resolutions before their requests, as those lock them who answer.
        asked = set(
            Resolution.objects.filter(pk__in={pk for _, pk in found if pk})
            .select_for_update(skip_locked=True, no_key=True)
            .order_by("id")
            .values_list("pk", flat=True)
        )
        taken = list(
            NormalizationRequest.objects.unfinished()
            .filter(Q(resolution=None) | Q(resolution__in=asked), pk__in=[pk for pk, _ in found])
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("id")
        )
        for request in taken:
            request.resolution = None
        finish(taken, Status.CANCELED, now)
        tally(taken, now)
        end_wait(asked, {request.client_id for request in taken}, but_revisions=True)
        drop_unwanted(asked)
        batches.count(taken, now=now)
    return len(taken)


def sweep() -> None:
    """Wake a worker for batches that are still to be canceled."""
    if Batch.objects.canceling().exists():
        CANCEL.send()
