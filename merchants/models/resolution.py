"""Resolutions, the shared answers by key, and the clients waiting for them."""

from datetime import datetime

from django.contrib.postgres.expressions import ArraySubquery
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models
from django.db.models import F, Func, Q

from merchants.matching import types
from merchants.models.catalogue import Merchant, Rule, Ruleset
from pave.clients.models import Client
from pave.core.ids import new_id

KEY_LENGTH = 200


class ResolutionQuerySet(models.QuerySet["Resolution"]):
    """Named selections of resolutions."""

    def stale(self, now: datetime) -> "ResolutionQuerySet":
        """Those in flight whose lease has expired."""
        return self.filter(status=Resolution.Status.RUNNING, lease_expires_at__lte=now)

    def unfinished(self) -> "ResolutionQuerySet":
        """Those without an answer yet."""
        return self.filter(status__in=[Resolution.Status.PENDING, Resolution.Status.RUNNING])

    def finished(self) -> "ResolutionQuerySet":
        """Those that are final."""
        return self.filter(status__in=[Resolution.Status.RESOLVED, Resolution.Status.FAILED])


class Resolution(models.Model):
    """The answer of one ruleset for one resolution key: the unit of slow work.

    It holds nothing that was read from a transaction. Its answer is shared by all transactions
    with the key, which are one client's only if `client` is set.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        RESOLVED = "resolved"
        FAILED = "failed"

    class Method(models.TextChoices):
        """How an answer was found: the heuristic's words, with a title for people."""

        RULE = types.Method.RULE.value, "A rule by staff"
        CATALOGUE = types.Method.CATALOGUE.value, "Found in the catalogue"
        FUZZY = types.Method.FUZZY.value, "Almost a name of the catalogue"
        CLEANED = types.Method.CLEANED.value, "Not in the catalogue: the cleaned name"
        NONE = types.Method.NONE.value, "No merchant in the text"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(
        max_length=KEY_LENGTH,
        help_text="Transactions with the same key share it. A digest if it holds their text.",
    )
    ruleset = models.ForeignKey(Ruleset, on_delete=models.PROTECT, db_index=False)
    client = models.ForeignKey(
        Client,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="resolutions",
        db_index=False,
        help_text="Only this client's transactions have its answer. Empty: those of all clients.",
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Runs begun; counted before the heuristic runs."
    )
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=128, blank=True)
    answer = models.JSONField(
        null=True, blank=True, help_text="The source of the API's members merchant and match."
    )
    merchant = models.ForeignKey(
        Merchant, null=True, blank=True, on_delete=models.SET_NULL, related_name="resolutions"
    )
    rule = models.ForeignKey(
        Rule, null=True, blank=True, on_delete=models.SET_NULL, related_name="resolutions"
    )
    method = models.CharField(max_length=16, blank=True, choices=Method.choices)
    confidence = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(1)]
    )
    evidence = models.JSONField(default=list, help_text="The heuristic's evidence for its answer.")
    error = models.CharField(max_length=500, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ResolutionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Single flight: one row for a key, however many ask at once. Also the index by which
            # admission finds cached answers. (Keys of one client never equal another's.)
            models.UniqueConstraint(fields=["key", "ruleset"], name="one_resolution_a_question")
        ]
        indexes = [
            models.Index(
                fields=["lease_expires_at"],
                name="resolution_under_way",
                condition=Q(status="running"),
            ),
            # The sweep for those without waiters.
            models.Index(fields=["id"], name="resolution_pending", condition=Q(status="pending")),
            # The admin's list of failures, newest first.
            models.Index(fields=["-id"], name="resolution_failed", condition=Q(status="failed")),
            # Erasing a client.
            models.Index(
                fields=["client"], name="resolution_of_client", condition=Q(client__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def is_resolved(self) -> bool:
        """Whether it has an answer."""
        return self.status == self.Status.RESOLVED


class WaiterQuerySet(models.QuerySet["Waiter"]):
    """Named selections of waiters."""

    def due(self, now: datetime) -> "WaiterQuerySet":
        """Those whose resolution is due at ``now``, as far as their own rows say.

        Without a join to the resolutions: its plan, from before a large batch came, would scan all
        pending ones for each that is not due.
        """
        return self.filter(due_at__lte=now)

    def of_client(self, client_pk: int) -> "WaiterQuerySet":
        """The client's, in queue order: single requests before rows of batches."""
        return self.filter(client=client_pk).order_by("bulk", "due_at")

    def unlocked(self) -> "WaiterQuerySet":
        """Those that nobody else has locked, locked until the transaction ends."""
        free = self.select_for_update(skip_locked=True, of=("self",)).order_by().values("pk")
        if connection.vendor != "postgresql":
            return Waiter.objects.filter(pk__in=free)
        # As an array it is read once, and its rows are found by their keys, whatever the plan.
        return Waiter.objects.filter(
            Func(
                F("pk"),
                ArraySubquery(free),
                arg_joiner=" = ANY(",
                template="%(expressions)s)",
                output_field=models.BooleanField(),
            )
        )


class Waiter(models.Model):
    """A client waiting for a resolution, with its own transaction to run the heuristic on.

    The heuristic's queue: clients are served in turn, so each has its own waiters.
    """

    resolution = models.ForeignKey(
        Resolution, on_delete=models.CASCADE, related_name="waiters", db_index=False
    )
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="waiters", db_index=False
    )
    request = models.ForeignKey(
        "merchants.NormalizationRequest",
        on_delete=models.CASCADE,
        related_name="waiters",
        help_text="The client's first request that waits.",
    )
    bulk = models.BooleanField(
        default=False,
        help_text="Whether only rows of batches wait; single requests come first.",
    )
    since = models.DateTimeField()
    due_at = models.DateTimeField(
        help_text="When the next attempt may begin; during one, when its lease ends."
    )

    objects = WaiterQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["resolution", "client"], name="one_waiter_a_client_and_resolution"
            )
        ]
        indexes = [
            # Claiming a client's next: single requests, then batches.
            models.Index(fields=["client", "bulk", "due_at"], name="waiter_turn"),
            # The age of each client's oldest waiter.
            models.Index(fields=["client", "since"], name="waiter_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.client_id} for {self.resolution_id}"


class HeuristicUse(models.Model):
    """A client's recent use of the heuristic's time; see `requests.fair_share`."""

    client = models.OneToOneField(Client, on_delete=models.CASCADE, primary_key=True)
    seconds = models.FloatField(
        default=0.0, help_text="Recent use in seconds, as of the time below."
    )
    as_of = models.FloatField(help_text="Seconds since 1970.")

    def __str__(self) -> str:
        return f"use by {self.client_id}"
