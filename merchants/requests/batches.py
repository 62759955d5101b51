"""Batches: accepted in one transaction, counted as their rows become final, completed once."""

import collections
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Count, F
from django.db.models.functions import Least
from django.utils import timezone

from merchants.models import Batch, NormalizationRequest
from merchants.requests import batch_writing, usage
from merchants.requests.events import BATCH_COMPLETED, BATCH_UPDATED, batch_occurrence
from merchants.wakeups import ADMIT
from pave.clients import quotas
from pave.clients.models import Client
from pave.core.card_numbers.masking import masked_value, without_card_numbers
from pave.core.database import advisory_locks, idle_limit, lock_limit, locked_rows
from pave.core.database.along_index import exists_along, just
from webhooks.endpoints import enabling
from webhooks.endpoints.subscriptions import subscribers
from webhooks.publishing import publish

logger = logging.getLogger(__name__)

MAX_ROWS = 50_000
# Of its rows, each to each webhook; and those that may be held for its client then.
MAX_DELIVERIES = 100_000
# Errors that are listed; ``rejected`` counts all rejected rows.
MAX_ERRORS = 500
# The CPU time that one batch may take. Plain rows take some seconds; the worst 32 MiB that we know,
# in which every value is wrong or looks like card numbers, take most of a minute on a busy machine.
MAX_CPU_SECONDS = 60.0
# How long nothing may happen in its transaction: the CPU may be busy with other work, too.
_IDLE_SECONDS = 180.0
# Rows written at a time, and characters of their texts: a control character becomes seven.
_WRITE_ROWS = 2_000
_WRITE_CHARACTERS = 1_000_000
# How often the sweep counts, in seconds, and how old a batch must be by then.
_RECOUNTED = "batches:recounted"
_RECOUNT_EVERY = 60
_RECOUNT_SECONDS = 1.0
_RECOUNT_BATCHES = 500
_RECOUNT_AFTER = timedelta(seconds=10)
# How long one sweep notifies of corrections, in seconds.
_NOTIFY_SECONDS = 2.0
# How long the sweep waits for what a batch's event needs, in seconds, as a webhook.
_LOCK_SECONDS = 0.1
# The last batch that the sweep of this process has recounted, if its time did not suffice for all.
_recounted_up_to: UUID | None = None

Status = NormalizationRequest.Status
_COUNTED = (Status.COMPLETED, Status.FAILED, Status.CANCELED)


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction of a batch's input: the model's fields, or what is wrong with it.

    Args:
        number: Its place among the rows, from 1.
        line: The line of the body on which it begins, from 1; None in JSON.
        fields: Validated fields, or None.
        errors: ``{"pointer", "detail"}``, pointers within the row.
    """

    number: int
    line: int | None
    fields: dict[str, Any] | None
    errors: list[dict[str, str]] = field(default_factory=list)


class NothingTaken(Exception):
    """No row of the batch is valid, so no batch is created.

    Args:
        errors: The same as in a batch's ``errors``.
    """

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("no good row")
        self.errors = errors


class TooManyRows(Exception):
    """The batch is longer than ``MAX_ROWS``."""


class TooManyDeliveries(Exception):
    """The batch would have, or be held for, too many; the message is a sentence for the client.

    Args:
        webhooks: How many webhooks its rows would be delivered to.
        disabled: How many of them are disabled.
        held: What is held for its client already.
    """

    def __init__(self, webhooks: int, *, disabled: int, held: int) -> None:
        rows = MAX_DELIVERIES // webhooks
        why = ""
        if disabled:
            rows = min(rows, max(MAX_DELIVERIES - held, 0) // disabled)
            why = (
                f", since {disabled} of them are disabled, for which {held:,} of at most "
                f"{MAX_DELIVERIES:,} messages are held. Enable or delete those"
            )
        super().__init__(
            f"With deliver=each to {webhooks} webhooks a batch may have {rows:,} rows now{why}. "
            "Nothing was accepted; send fewer at once, or with deliver=batch."
        )


class TooMuchWork(Exception):
    """The batch takes more than ``MAX_CPU_SECONDS`` to read."""


class AnotherInProgress(Exception):
    """Another batch of the client is being accepted at this moment."""


def accept(*, client: Client, rows: Iterable[Row], options: dict[str, Any] | None = None) -> Batch:
    """Accept the valid rows of a batch and list the invalid ones, in one transaction.

    Args:
        client: The client that sends it.
        rows: Its rows, in order. If reading them raises, nothing is stored.
        options: ``deliver``; used after the last row, since the reader may find it there.

    Raises:
        NothingTaken: No row is valid.
        TooManyRows: There are more than ``MAX_ROWS``.
        TooManyDeliveries: They would be more than ``MAX_DELIVERIES``, or more would be held.
        TooMuchWork: Reading them takes more than ``MAX_CPU_SECONDS``.
        AnotherInProgress: Another batch of the client is being accepted.
        Client.DoesNotExist: The client is no longer active.
        QuotaExceeded: There are more valid rows than the client may send in this month.
    """
    now = timezone.now()
    errors: list[dict[str, Any]] = []
    left = usage.left(client, now=now)
    batch = Batch(client=client, created_at=now)
    good = _good(rows, batch, errors)
    if connection.vendor == "sqlite":
        # SQLite lets one transaction write at a time: read all rows before it begins.
        good = iter(list(good))
    with transaction.atomic():
        idle_limit.limit_this(_IDLE_SECONDS)
        if advisory_locks.is_taken_for(advisory_locks.Lock.TAKING_BATCHES, client.pk):
            raise AnotherInProgress
        Client.objects.get(pk=client.pk, active=True)
        batch.save(force_insert=True)
        for chunk in _in_chunks(good):
            batch.accepted += len(chunk)
            if left is not None and batch.accepted > left:
                raise quotas.QuotaExceeded(client.monthly_quota or 0, left, quotas.month_of(now))
            batch_writing.write(chunk, batch=batch, now=now)
        if not batch.accepted:
            raise NothingTaken(errors)
        batch.deliver = (options or {}).get("deliver", Batch.Deliver.BATCH)
        if batch.deliver == Batch.Deliver.EACH:
            _refuse_too_many_deliveries(client, batch.accepted)
        batch.errors = errors
        batch.save(update_fields=["accepted", "rejected", "deliver", "errors"])
        # By the quota of this moment, which may be a new one. Last, since it locks the row in which
        # the client's other posts are counted.
        client = Client.objects.get(pk=client.pk)
        usage.charge(client, batch.accepted, now=now, written=batch.accepted)
        ADMIT.send()
    logger.info(
        "batch.accepted",
        extra={"batch": batch.pk, "accepted": batch.accepted, "rejected": batch.rejected},
    )
    return batch


def _refuse_too_many_deliveries(client: Client, rows: int) -> None:
    webhooks = subscribers({client.pk})[client.pk]  # whatever they subscribe to now
    disabled = sum(not webhook.enabled for webhook in webhooks)
    held = enabling.count_held(client, most=MAX_DELIVERIES) if disabled else 0
    if max(rows * len(webhooks), held + rows * disabled) > MAX_DELIVERIES:
        raise TooManyDeliveries(len(webhooks), disabled=disabled, held=held)


def _in_chunks(
    rows: Iterable[batch_writing.Numbered],
) -> Iterator[list[batch_writing.Numbered]]:
    chunk: list[batch_writing.Numbered] = []
    characters = 0
    for row in rows:
        chunk.append(row)
        fields = row[1]
        characters += len(fields["description"]) + sum(
            map(len, (fields.get("metadata") or {}).values())
        )
        if len(chunk) == _WRITE_ROWS or characters > _WRITE_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def with_own_event(
    requests: Sequence[NormalizationRequest],
) -> list[tuple[NormalizationRequest, int | None]]:
    """Return the requests that get a webhook each, and to how many webhooks each goes at most.

    Those that were there when a batch was accepted are not too many: others may be created since.
    """
    batch_ids = {request.batch_id for request in requests if request.batch_id}
    most: dict[UUID | None, int | None] = {None: None}
    if batch_ids:
        loud = Batch.objects.filter(pk__in=batch_ids, deliver=Batch.Deliver.EACH)
        for pk, rows in loud.values_list("pk", "accepted"):
            most[pk] = max(1, MAX_DELIVERIES // max(rows, 1))
    return [(request, most[request.batch_id]) for request in requests if request.batch_id in most]


def count(requests: Iterable[NormalizationRequest], *, now: datetime) -> None:
    """Count requests that have just become final, and complete batches that are done.

    Call it late in the transaction that ends them: it locks the batches. A batch that somebody else
    has locked for long is left to the sweep.
    """
    ended: dict[Any, collections.Counter[str]] = {}
    for request in requests:
        if request.batch_id:
            ended.setdefault(request.batch_id, collections.Counter())[request.status] += 1
    updates = {batch: partial(_count, batch, ended[batch], now) for batch in sorted(ended)}
    for batch_id in locked_rows.update_unlocked(updates):
        logger.warning("batch.not_counted", extra={"batch": batch_id})
        cache.delete(_RECOUNTED)


def _count(batch_id: UUID, ended: Mapping[str, int], now: datetime) -> None:
    Batch.objects.filter(pk=batch_id).update(
        **{status: F(status) + number for status, number in ended.items()}
    )
    _complete_if_through(batch_id, now)


def count_corrected(requests: Iterable[NormalizationRequest]) -> None:
    """Count rows whose answers have just changed, each as ``corrected`` only the first time.

    Call it in the transaction that changes them.
    """
    changed: dict[UUID, list[NormalizationRequest]] = {}
    for request in requests:
        if request.batch_id is not None:
            changed.setdefault(request.batch_id, []).append(request)
    for batch_id, rows in sorted(changed.items()):
        Batch.objects.filter(pk=batch_id).update(
            corrections=F("corrections") + len(rows),
            # Rows corrected by a release without that mark would count again.
            corrected=Least(F("corrected") + sum(not row.corrected for row in rows), F("accepted")),
        )


def notify_of_corrections(*, now: datetime | None = None) -> None:
    """Notify of corrections in batches with one webhook, each batch once.

    After ``_NOTIFY_SECONDS`` the others are left to the next sweep.
    """
    end = time.monotonic() + _NOTIFY_SECONDS
    now = now or timezone.now()
    unnotified = Batch.objects.filter(corrections__gt=F("corrections_told")).order_by("id")
    for batch_id in unnotified.values_list("pk", flat=True):
        if time.monotonic() > end:
            break
        with _unless_locked(batch_id):
            batch = unnotified.select_for_update(skip_locked=True).filter(pk=batch_id).first()
            if batch is None:
                continue
            if batch.deliver == Batch.Deliver.BATCH:
                publish([batch_occurrence(BATCH_UPDATED, batch)], now=now)
            batch.corrections_told = batch.corrections
            batch.save(update_fields=["corrections_told"])


def sweep(*, now: datetime | None = None) -> None:
    """Recount the batches that have no unanswered row left and are not completed.

    The counts are kept in the transactions that end requests, so this finds something only if the
    batch was locked then, or rows were changed or removed by hand. After ``_RECOUNT_SECONDS`` the
    others are left to the next sweep, which starts after these.
    """
    global _recounted_up_to
    if not cache.add(_RECOUNTED, "yes", _RECOUNT_EVERY):
        return
    now = now or timezone.now()
    end = time.monotonic() + _RECOUNT_SECONDS
    open_batches = Batch.objects.open().filter(created_at__lt=now - _RECOUNT_AFTER).order_by("id")
    if _recounted_up_to is not None:
        open_batches = open_batches.filter(pk__gt=_recounted_up_to)
    pks = list(open_batches.values_list("pk", flat=True)[:_RECOUNT_BATCHES])
    for batch_id in pks:
        rows = NormalizationRequest.objects.filter(**just("batch", batch_id))
        if not exists_along(rows.unfinished(), "batch_id", "-id"):
            _recount(batch_id, now)
        if time.monotonic() > end:
            _recounted_up_to = batch_id
            return
    _recounted_up_to = pks[-1] if len(pks) == _RECOUNT_BATCHES else None


def _good(
    rows: Iterable[Row], batch: Batch, errors: list[dict[str, Any]]
) -> Iterator[batch_writing.Numbered]:
    """Yield the valid rows, and record the invalid ones in ``batch`` and ``errors``."""
    begun = time.thread_time()
    for row in rows:
        if row.number > MAX_ROWS:
            raise TooManyRows
        if time.thread_time() - begun > MAX_CPU_SECONDS:
            raise TooMuchWork
        if row.fields is not None:
            yield row.number, without_card_numbers(row.fields)
            continue
        batch.rejected += 1
        for error in row.errors:
            if len(errors) < MAX_ERRORS:
                # A pointer contains names of members, which the client has chosen.
                masked = {name: masked_value(text) for name, text in error.items()}
                errors.append({"row": row.number, "line": row.line, **masked})


def _complete_if_through(batch_id: Any, now: datetime) -> None:
    """Complete a batch whose rows are all final; only the first caller's UPDATE matches."""
    through = Batch.objects.open().filter(
        pk=batch_id, accepted=F("completed") + F("failed") + F("canceled")
    )
    canceled = through.filter(cancel_requested_at__isnull=False, canceled__gt=0)
    if canceled.update(status=Batch.Status.CANCELED, completed_at=now):
        logger.info("batch.canceled", extra={"batch": batch_id})  # its client knows
    elif through.update(status=Batch.Status.COMPLETED, completed_at=now):
        batch = Batch.objects.get(pk=batch_id)
        publish([batch_occurrence(BATCH_COMPLETED, batch)], now=now)
        logger.info("batch.completed", extra={"batch": batch.pk, "rows": batch.accepted})


@contextmanager
def _unless_locked(batch_id: UUID) -> Iterator[None]:
    """Run a block in a transaction, and undo it if somebody keeps locked what it needs."""
    try:
        with lock_limit.atomic(lock_seconds=_LOCK_SECONDS):
            yield
    except lock_limit.Locked:
        logger.warning("batch.locked", extra={"batch": batch_id})


def _recount(batch_id: UUID, now: datetime) -> None:
    with _unless_locked(batch_id):
        unlocked = Batch.objects.open().select_for_update(skip_locked=True)
        batch = unlocked.filter(pk=batch_id).first()
        requests = NormalizationRequest.objects.filter(batch=batch_id)
        if batch is None or requests.unfinished().exists():
            return
        counts = dict(requests.order_by().values_list("status").annotate(Count("pk")))
        numbers = {str(status): counts.get(status, 0) for status in _COUNTED}
        Batch.objects.filter(pk=batch_id).update(**numbers, accepted=sum(numbers.values()))
        _complete_if_through(batch_id, now)
