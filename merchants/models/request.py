"""Clients' requests: transactions, single and in batches."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q

from merchants.matching.reading import Reading, read
from merchants.matching.types import TRANSACTION_FIELDS, Transaction
from merchants.models.resolution import Resolution
from pave.clients.models import Client
from pave.core.database.along_index import just
from pave.core.ids import new_id

# What a client sends of a transaction, and has back with the answer.
SENT_FIELDS = (*TRANSACTION_FIELDS, "reference")


class BatchQuerySet(models.QuerySet["Batch"]):
    """Named selections of batches."""

    def open(self) -> "BatchQuerySet":
        """Those with unanswered rows."""
        return self.filter(status=Batch.Status.PROCESSING)

    def canceling(self) -> "BatchQuerySet":
        """Those being canceled, with rows left."""
        return self.open().filter(cancel_requested_at__isnull=False).order_by("id")

    def for_client(self, client: Client) -> "BatchQuerySet":
        """The client's, newest first."""
        return self.filter(client=client).order_by("-id")

    def with_first_errors(self, number: int) -> "BatchQuerySet":
        """Read only the first of each one's errors, as ``first_errors``: all may be very long."""
        return self.defer("errors").annotate(first_errors=_First("errors", number))


class _First(models.Func):
    """The first elements of a JSON array."""

    output_field = models.JSONField()
    template = "jsonb_path_query_array(%(expressions)s, '$[0 to %(last)d]')"

    def __init__(self, name: str, number: int) -> None:
        super().__init__(name, last=number - 1)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        template = (
            "(SELECT json_group_array(json(value)) FROM"
            " (SELECT value FROM json_each(%(expressions)s) WHERE key <= %(last)d ORDER BY key))"
        )
        return self.as_sql(compiler, connection, template=template, **context)


class Batch(models.Model):
    """Many transactions that a client sent in one request."""

    class Status(models.TextChoices):
        PROCESSING = "processing"
        COMPLETED = "completed"
        CANCELED = "canceled"

    class Deliver(models.TextChoices):
        EACH = "each", "A webhook for each row, and one for the batch"
        BATCH = "batch", "One webhook for the batch"

    id = models.UUIDField("batch id", primary_key=True, default=new_id, editable=False)
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="batches", db_index=False
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PROCESSING)
    deliver = models.CharField(max_length=16, choices=Deliver.choices, default=Deliver.BATCH)
    accepted = models.PositiveIntegerField(default=0, help_text="Rows that were taken.")
    rejected = models.PositiveIntegerField(default=0, help_text="Rows that were not.")
    completed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    canceled = models.PositiveIntegerField(default=0)
    corrected = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Rows whose answer was corrected at least once."
    )
    corrections = models.PositiveIntegerField(default=0, db_default=0)
    corrections_told = models.PositiveIntegerField(
        default=0, db_default=0, help_text="How many corrections the client has been notified of."
    )
    errors = models.JSONField(
        default=list, blank=True, help_text="What is wrong with the rejected rows, by line."
    )
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)

    # Where ``with_first_errors`` has read it.
    first_errors: list[dict[str, Any]]

    objects = BatchQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "batches"
        permissions = [("cancel_batch", "Can cancel batches")]
        indexes = [
            # A client's batches, newest first.
            models.Index(fields=["client", "-id"], name="batch_of_client"),
            # The sweep of open batches.
            models.Index(fields=["id"], name="batch_open", condition=Q(status="processing")),
            # Those with corrections to notify.
            models.Index(
                fields=["id"],
                name="batch_corrections",
                condition=Q(corrections__gt=models.F("corrections_told")),
            ),
        ]

    def __str__(self) -> str:
        return f"batch of {self.accepted}"

    @property
    def pending(self) -> int:
        """Rows that are not final yet."""
        return self.accepted - self.completed - self.failed - self.canceled


class NormalizationRequestQuerySet(models.QuerySet["NormalizationRequest"]):
    """Named selections of requests."""

    def queued(self) -> "NormalizationRequestQuerySet":
        """Those waiting for admission."""
        return self.filter(status=NormalizationRequest.Status.QUEUED)

    def suspect(self) -> "NormalizationRequestQuerySet":
        """Those to be admitted one by one, since their admission with others has failed."""
        return self.queued().filter(admission_attempts__gt=0)

    def single(self) -> "NormalizationRequestQuerySet":
        """Single requests, oldest first: a caller waits for each."""
        # Ordered by the (empty) batch too, so that PostgreSQL uses the index of queued requests and
        # neither sorts a backlog nor scans the table.
        return self.filter(batch=None).order_by("batch_id", "id")

    def batched(self) -> "NormalizationRequestQuerySet":
        """Rows of batches, oldest first."""
        return self.filter(batch__isnull=False).order_by("batch_id", "id")

    def unfinished(self) -> "NormalizationRequestQuerySet":
        """Those that are not final yet."""
        return self.filter(
            status__in=[NormalizationRequest.Status.QUEUED, NormalizationRequest.Status.PROCESSING]
        )

    def finished(self) -> "NormalizationRequestQuerySet":
        """Those that are final."""
        return self.exclude(
            status__in=[NormalizationRequest.Status.QUEUED, NormalizationRequest.Status.PROCESSING]
        )

    def waiting_for(self, resolutions: Iterable[Resolution]) -> "NormalizationRequestQuerySet":
        """Those waiting for the answers of resolutions."""
        return self.filter(
            resolution__in=list(resolutions), status=NormalizationRequest.Status.PROCESSING
        )

    def waiting_along_index(self, resolution_pk: UUID) -> "NormalizationRequestQuerySet":
        """Those waiting for one resolution, in index order, to take a first few of.

        A range in index order: if many wait, PostgreSQL scans the whole table without an order, and
        all newer requests with an order by id.
        """
        return self.filter(
            **just("resolution", resolution_pk), status=NormalizationRequest.Status.PROCESSING
        ).order_by("resolution_id", "status")

    def answered(self, since: datetime) -> "NormalizationRequestQuerySet":
        """Those completed, of those created since a time."""
        return self.filter(status=NormalizationRequest.Status.COMPLETED, created_at__gte=since)

    def for_client(self, client: Client) -> "NormalizationRequestQuerySet":
        """The client's, newest first."""
        return self.filter(client=client).order_by("-id")


class NormalizationRequest(models.Model):
    """A client's request to normalize a transaction."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        PROCESSING = "processing"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELED = "canceled"

    id = models.UUIDField("request id", primary_key=True, default=new_id, editable=False)
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="requests", db_index=False
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    description = models.CharField(max_length=500)
    # Text, to return the decimal in the client's own digits; never calculated with.
    amount = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    date = models.DateField(null=True, blank=True)
    mcc = models.CharField("MCC", max_length=4, blank=True)
    country = models.CharField(max_length=2, blank=True)
    city = models.CharField(max_length=100, blank=True)
    reference = models.CharField(max_length=255, blank=True, help_text="The client's own id.")
    metadata = models.JSONField(
        null=True, blank=True, help_text="The client's own pairs: returned, never interpreted."
    )
    reading = models.JSONField(
        null=True, blank=True, help_text="What was read from this transaction's own text."
    )
    resolution = models.ForeignKey(
        Resolution,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="requests",
        db_index=False,
    )
    batch = models.ForeignKey(
        Batch,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="requests",
        db_index=False,
    )
    row = models.PositiveIntegerField(
        null=True, blank=True, help_text="Its position in the batch's input, from 1."
    )
    error = models.CharField(max_length=500, blank=True)
    admission_attempts = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        help_text="Failed admissions that it may have caused; counted before each attempt.",
    )
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)
    ruleset = models.PositiveIntegerField(
        null=True,
        editable=False,
        help_text="The number of the newest ruleset when it was answered. Its resolution's, which "
        "may be older, would tell when another client sent the same.",
    )
    corrected = models.BooleanField(
        default=False, db_default=False, help_text="Whether its answer was corrected."
    )

    objects = NormalizationRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "request"
        indexes = [
            # A client's requests, newest first: ids begin with the time.
            models.Index(fields=["client", "-id"], name="request_of_client"),
            # Admission: each client's queue, single before batches, oldest first. As small as
            # the backlog.
            models.Index(
                fields=["client", "batch", "id"],
                name="request_queued_of_client",
                condition=Q(status="queued"),
            ),
            models.Index(
                fields=["id"],
                name="request_suspect",
                condition=Q(status="queued", admission_attempts__gt=0),
            ),
            # A batch's rows in input order.
            models.Index(
                fields=["batch", "row"], name="request_of_batch", condition=Q(batch__isnull=False)
            ),
            # The client's list of a batch's rows. (Another order would scan backwards through all
            # clients' newer requests.)
            models.Index(
                fields=["batch", "-id"],
                name="request_of_batch_newest",
                condition=Q(batch__isnull=False),
            ),
            # The client's list by a rare status; most rows are completed.
            models.Index(
                fields=["client", "status", "-id"],
                name="request_not_completed",
                condition=Q(status__in=["queued", "processing", "failed", "canceled"]),
            ),
            # The requests that wait for a resolution or have its answer.
            models.Index(
                fields=["resolution", "status"],
                name="request_of_resolution",
                condition=Q(resolution__isnull=False),
            ),
            # A client's look-up by its own id.
            models.Index(
                fields=["client", "reference", "-id"],
                name="request_reference_newest",
                condition=~Q(reference=""),
            ),
            # The staff's search by the start of a descriptor.
            models.Index(
                fields=["description"],
                name="request_description",
                opclasses=["varchar_pattern_ops"],
            ),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def own_reading(self) -> Reading:
        """What was read from its text; read now if nothing is stored."""
        if self.reading is None:
            return read(self.as_transaction())
        return Reading.from_json(self.reading)

    def as_transaction(self) -> Transaction:
        """Return the transaction in the heuristic's type."""
        return Transaction.from_json({name: getattr(self, name) for name in TRANSACTION_FIELDS})

    def as_sent(self) -> dict[str, str | None]:
        """Return the transaction as the client sent it, but for card numbers."""
        return {
            name: str(value) if (value := getattr(self, name)) else None for name in SENT_FIELDS
        }


class AdmissionClaim(models.Model):
    """The requests that a worker is admitting; the row outlives only a dead worker."""

    worker = models.CharField(max_length=128)
    requests = models.JSONField(help_text="Their ids.")
    alone = models.BooleanField(
        default=False, help_text="Whether its request is admitted without others."
    )
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{len(self.requests)} by {self.worker}"
