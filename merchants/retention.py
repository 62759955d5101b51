"""How long requests, batches, cached answers and rulesets are kept."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from merchants.models import (
    Batch,
    Feedback,
    NormalizationRequest,
    Resolution,
    Ruleset,
)
from pave.core.ids import first_id_at
from pave.operations.retention import Expiry
from pave.staff import audit
from pave.staff.models import AuditEntry
from webhooks.models import Event

FINAL = (
    NormalizationRequest.Status.COMPLETED,
    NormalizationRequest.Status.FAILED,
    NormalizationRequest.Status.CANCELED,
)
# How many of the newest rulesets stay, however old, to go back to.
RULESETS_KEPT = 20


def expiries(*, now: datetime, cutoff: datetime) -> Iterator[Expiry]:
    """Yield what expires. Events go before requests: a request with a waiting event is kept."""
    yield Expiry(
        "requests",
        NormalizationRequest.objects.filter(pk__lt=first_id_at(cutoff)),
        lambda requests: _finished(requests, cutoff),
    )
    yield Expiry(
        "batches",
        Batch.objects.filter(pk__lt=first_id_at(cutoff), completed_at__lt=cutoff),
        _without_rows,
    )
    # An answer stays cached while any request within that time has it.
    yield Expiry(
        "cached answers",
        Resolution.objects.filter(pk__lt=first_id_at(cutoff), finished_at__lt=cutoff),
        _not_asked,
    )
    yield Expiry(
        "texts of transactions in the audit trail",
        AuditEntry.objects.filter(
            model__in=[NormalizationRequest._meta.label_lower, Feedback._meta.label_lower],
            at__lt=cutoff,
        ).exclude(object_name=audit.ERASED, changes={}, detail=""),
        remove=audit.blank,
    )
    newest = Ruleset.objects.order_by("-number").values_list("number", flat=True)
    kept_from = min(newest[:RULESETS_KEPT], default=0)
    yield Expiry(
        "rulesets",
        Ruleset.objects.filter(number__lt=kept_from, published_at__lt=cutoff),
        _without_answers,
    )


def _finished(requests: QuerySet[Any], cutoff: datetime) -> QuerySet[Any]:
    """Leave out requests that are not final, have a waiting event, or have open feedback.

    Feedback that nobody has looked at for as long goes with its request.
    """
    to_be_reviewed = Feedback.objects.filter(
        request=OuterRef("pk"), status=Feedback.Status.OPEN, created_at__gte=cutoff
    )
    return requests.filter(
        ~Exists(Event.objects.filter(subject_id=OuterRef("pk"))),
        ~Exists(to_be_reviewed),
        status__in=FINAL,
        completed_at__lt=cutoff,
    )


def _without_rows(batches: QuerySet[Any]) -> QuerySet[Any]:
    return batches.filter(
        ~Exists(NormalizationRequest.objects.filter(batch=OuterRef("pk"))),
        ~Exists(Event.objects.filter(subject_id=OuterRef("pk"))),
    )


def _not_asked(resolutions: QuerySet[Any]) -> QuerySet[Any]:
    return resolutions.filter(
        ~Exists(NormalizationRequest.objects.filter(resolution=OuterRef("pk")))
    )


def _without_answers(rulesets: QuerySet[Any]) -> QuerySet[Any]:
    """Leave out rulesets from the oldest that has an answer on: each stores its changes."""
    answering = (
        Resolution.objects.order_by("ruleset_id").values_list("ruleset_id", flat=True).first()
    )
    return rulesets if answering is None else rulesets.filter(number__lt=answering)
