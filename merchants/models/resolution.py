"""The questions asked, and the answers remembered."""

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from merchants.models.catalogue import Merchant, Rule, Ruleset
from pave.identifiers import new_id

KEY_LENGTH = 200
# Answers: what a Resolution says, and a request repeats.
METHODS = [
    ("rule", "A rule of the staff's"),
    ("catalogue", "Found in the catalogue"),
    ("fuzzy", "Nearly as in the catalogue"),
    ("cleaned", "Not in the catalogue: the cleaned name"),
    ("none", "No merchant in the text"),
]


class ResolutionQuerySet(models.QuerySet["Resolution"]):
    """Domain words for selecting resolutions."""

    def due(self, now: datetime) -> "ResolutionQuerySet":
        """Those to be worked on by ``now``."""
        return self.filter(status=Resolution.Status.PENDING, next_attempt_at__lte=now)

    def stale(self, now: datetime) -> "ResolutionQuerySet":
        """Those under way whose worker has not been heard of within its lease."""
        return self.filter(status=Resolution.Status.RUNNING, lease_expires_at__lte=now)


class Resolution(models.Model):
    """One question, asked once of one ruleset, and its answer: the unit of slow work."""

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        RESOLVED = "resolved"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(
        max_length=KEY_LENGTH, help_text="What makes two transactions the same question."
    )
    ruleset = models.ForeignKey(Ruleset, on_delete=models.PROTECT, db_index=False)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    transaction = models.JSONField(help_text="The first transaction that asked it.")
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Runs begun; counted before the heuristic runs."
    )
    bulk = models.BooleanField(
        default=False,
        help_text="Only rows of batches wait for it; what came by itself is worked on before.",
    )
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=128, blank=True)
    answer = models.JSONField(
        null=True, blank=True, help_text="The members merchant and match of the API's object."
    )
    merchant = models.ForeignKey(
        Merchant, null=True, blank=True, on_delete=models.SET_NULL, related_name="resolutions"
    )
    rule = models.ForeignKey(
        Rule, null=True, blank=True, on_delete=models.SET_NULL, related_name="resolutions"
    )
    method = models.CharField(max_length=16, blank=True, choices=METHODS)
    confidence = models.FloatField(
        null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(1)]
    )
    evidence = models.JSONField(default=list, help_text="How the heuristic came to its answer.")
    error = models.CharField(max_length=500, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ResolutionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Single flight: a question has one row, however many ask it at once. Also the index
            # by which admission finds what is known.
            models.UniqueConstraint(fields=["key", "ruleset"], name="one_resolution_a_question")
        ]
        indexes = [
            # The claim: single requests' questions, then those of batches.
            models.Index(
                fields=["bulk", "next_attempt_at"],
                name="resolution_due",
                condition=Q(status="pending"),
            ),
            models.Index(
                fields=["lease_expires_at"],
                name="resolution_under_way",
                condition=Q(status="running"),
            ),
            # The admin's list of failures, newest first.
            models.Index(fields=["-id"], name="resolution_failed", condition=Q(status="failed")),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def is_resolved(self) -> bool:
        """Whether it has its answer."""
        return self.status == self.Status.RESOLVED
