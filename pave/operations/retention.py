"""Removing expired rows, in small batches, so that nothing is blocked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from pave.core.app_config import pave_apps
from pave.operations.cluster.django_q2 import Task
from pave.operations.models import CacheEntry
from pave.staff.models import AuditEntry

# Rows examined, and removed at most, in one transaction.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Expiry:
    """Which rows of a table expire.

    Args:
        name: Of the rows, for display.
        candidates: Rows that are old enough; found by an index, or few.
        removable: Filters those of the candidates that may be removed; by default all.
        lock: Locks what ``removable`` looks at beside the rows, which are locked already. Given
            their primary keys, it returns those of which nobody else has locked something.
        remove: What is done to them. They must be no candidates afterwards.
    """

    name: str
    candidates: QuerySet[Any]
    removable: Callable[[QuerySet[Any]], QuerySet[Any]] = lambda rows: rows
    lock: Callable[[list[Any]], list[Any]] = lambda pks: pks
    remove: Callable[[QuerySet[Any]], object] = QuerySet.delete

    def count(self) -> int:
        """Return how many rows are old enough to be examined."""
        return self.candidates.count()

    def walk(self) -> Iterator[tuple[int, int]]:
        """Go through the candidates once; yield for each batch how many were examined and removed.

        Locked rows are skipped until the next time.
        """
        model = self.candidates.model
        position: Any = None
        while True:
            rows = self.candidates.order_by("pk")
            if position is not None:
                rows = rows.filter(pk__gt=position)
            batch = list(rows.values_list("pk", flat=True)[:BATCH])
            if not batch:
                return
            position = batch[-1]
            with transaction.atomic():
                removable = self.removable(self.candidates.filter(pk__in=batch))
                locked = list(
                    removable.order_by("pk")
                    .select_for_update(skip_locked=True, of=("self",))
                    .values_list("pk", flat=True)
                )
                locked = self.lock(locked)
                # Filtered again under the lock: a row that has been referenced since stays.
                removable = self.removable(self.candidates.filter(pk__in=locked))
                pks = list(removable.values_list("pk", flat=True)) if locked else []
                self.remove(model._default_manager.filter(pk__in=pks))
            yield len(batch), len(pks)


def expiries(*, now: datetime | None = None) -> Iterator[Expiry]:
    """Yield what expires: events before their requests, so each app before those above it."""
    now = now or timezone.now()
    cutoff = now - timedelta(days=settings.PAVE_RETENTION_DAYS)
    for app in pave_apps():
        yield from app.expiries(now=now, cutoff=cutoff)


def prune(*, now: datetime | None = None) -> Iterator[int]:
    """Remove everything that has expired; yield after each batch how many rows were removed."""
    for expiry in expiries(now=now):
        for _, removed in expiry.walk():
            yield removed


def own_expiries(*, now: datetime, cutoff: datetime) -> Iterator[Expiry]:
    """Yield what expires in tables that no other app of Pave's looks after."""
    yield Expiry("sessions", Session.objects.filter(expire_date__lt=now))
    # Tasks that failed, with their tracebacks.
    yield Expiry("task failures", Task.objects.filter(stopped__lt=cutoff))
    # Django removes those that are read again.
    yield Expiry("cache entries", CacheEntry.objects.filter(expires__lt=now))
    # They lock a name for a quarter of an hour.
    yield Expiry(
        "failed logins", AccessAttempt.objects.filter(attempt_time__lt=now - timedelta(days=1))
    )
    yield Expiry(
        "audit trail",
        AuditEntry.objects.filter(at__lt=now - timedelta(days=settings.PAVE_AUDIT_DAYS)),
    )
