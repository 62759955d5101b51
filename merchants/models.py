"""What Pave answers: merchants, the questions asked, and the answers remembered."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from merchants.question import Transaction
from merchants.rule_match import BadExpression, compiled
from pave.clients.models import Client
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


class Merchant(models.Model):
    """A merchant of the catalogue."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=200)
    website = models.CharField(max_length=300, blank=True)
    wikidata = models.CharField(
        max_length=20, blank=True, help_text="Its item in Wikidata, such as Q37158."
    )
    mccs = models.JSONField(
        "MCCs", default=list, blank=True, help_text="Merchant category codes (ISO 18245)."
    )
    countries = models.JSONField(
        default=list, blank=True, help_text="Where it trades (ISO 3166 alpha-2). Empty: anywhere."
    )
    category = models.CharField(max_length=100, blank=True)
    logo_url = models.CharField("logo URL", max_length=500, blank=True)
    active = models.BooleanField(default=True, help_text="Unticked, it is no longer answered.")
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="merged",
        help_text="Its successor, which took over its aliases and rules.",
    )
    source_key = models.CharField(
        max_length=120,
        unique=True,
        null=True,
        blank=True,
        editable=False,
        help_text="Its key in the imported catalogue; empty if staff made it.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        permissions = [("merge_merchant", "Can merge merchants")]
        indexes = [models.Index(fields=["name"], name="merchant_name")]

    def __str__(self) -> str:
        return self.name


class Alias(models.Model):
    """Another spelling by which descriptors name a merchant."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="aliases")
    text = models.CharField(max_length=200)

    class Meta:
        ordering = ["text"]
        verbose_name_plural = "aliases"
        constraints = [
            models.UniqueConstraint(fields=["merchant", "text"], name="one_alias_a_spelling")
        ]
        indexes = [models.Index(fields=["text"], name="alias_text")]

    def __str__(self) -> str:
        return self.text


class Rule(models.Model):
    """A decision of the staff's about descriptors; it counts once it is published."""

    class Kind(models.TextChoices):
        EXACT = "exact", "is exactly"
        PREFIX = "prefix", "begins with"
        CONTAINS = "contains", "contains"
        REGEX = "regex", "matches the expression"

    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.EXACT)
    pattern = models.CharField(
        max_length=300,
        help_text="Compared with the cleaned descriptor. Case, accents and punctuation do not "
        "count, but in an expression (RE2).",
    )
    mcc = models.CharField("MCC", max_length=4, blank=True, help_text="Only with this MCC.")
    country = models.CharField(max_length=2, blank=True, help_text="Only in this country.")
    intermediary = models.CharField(
        max_length=60, blank=True, help_text="Only behind this processor, such as Square."
    )
    priority = models.SmallIntegerField(default=0, help_text="Higher ones are tried first.")
    merchant = models.ForeignKey(
        Merchant,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="rules",
        help_text='Empty: there is no merchant in such a text ("n/a").',
    )
    active = models.BooleanField(default=True)
    note = models.CharField(max_length=300, blank=True, help_text="Why it is there; for staff.")
    hits = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Requests that it has answered."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-priority", "kind", "pattern"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pattern}"

    def clean(self) -> None:
        """Refuse an expression that cannot be used, with the reason."""
        if self.kind == self.Kind.REGEX:
            try:
                compiled(self.pattern)
            except BadExpression as error:
                raise ValidationError({"pattern": f"Not an expression for RE2: {error}"}) from error


class RulesetManager(models.Manager["Ruleset"]):
    """Leaves out the content, which is large, until somebody asks for it."""

    def get_queryset(self) -> models.QuerySet["Ruleset"]:
        """Return rulesets without their content."""
        return super().get_queryset().defer("content")


class Ruleset(models.Model):
    """A published version of the catalogue and its rules; the newest answers."""

    number = models.AutoField(primary_key=True)
    note = models.CharField(max_length=300, blank=True)
    content = models.BinaryField(
        help_text="The merchants and rules as they were when it was published."
    )
    restores = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        help_text="The ruleset that it went back to.",
    )
    published_by = models.CharField(max_length=150, blank=True)
    published_at = models.DateTimeField(auto_now_add=True)

    objects = RulesetManager()

    class Meta:
        ordering = ["-number"]
        # Also for what leads here from other rows.
        base_manager_name = "objects"
        permissions = [("publish_ruleset", "Can publish and roll back rulesets")]

    def __str__(self) -> str:
        return f"ruleset {self.number}"


class Revision(models.Model):
    """The look at earlier answers after a ruleset was published, with its progress."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"

    ruleset = models.OneToOneField(Ruleset, on_delete=models.CASCADE, related_name="revision")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    since = models.DateTimeField(help_text="Requests from before it are left as they are.")
    position = models.UUIDField(
        null=True, blank=True, help_text="The oldest request that was looked at so far."
    )
    total = models.PositiveBigIntegerField(default=0)
    examined = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], name="revision_running", condition=Q(status="running"))
        ]

    def __str__(self) -> str:
        return f"revision for {self.ruleset}"


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


class BatchQuerySet(models.QuerySet["Batch"]):
    """Domain words for selecting batches."""

    def open(self) -> "BatchQuerySet":
        """Those that have rows still to be answered."""
        return self.filter(status=Batch.Status.PROCESSING)

    def for_client(self, client: Client) -> "BatchQuerySet":
        """The client's own, newest first."""
        return self.filter(client=client).order_by("-id")


class Batch(models.Model):
    """Many transactions that a client sent in one request."""

    class Status(models.TextChoices):
        PROCESSING = "processing"
        COMPLETED = "completed"

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
    errors = models.JSONField(
        default=list, blank=True, help_text="What is wrong with the rejected rows, by line."
    )
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "batches"
        indexes = [
            # A client's batches, newest first.
            models.Index(fields=["client", "-id"], name="batch_of_client"),
            # The sweep's look at batches under way.
            models.Index(fields=["id"], name="batch_open", condition=Q(status="processing")),
        ]

    def __str__(self) -> str:
        return f"batch of {self.accepted}"

    @property
    def pending(self) -> int:
        """Rows that have no end yet."""
        return self.accepted - self.completed - self.failed - self.canceled


class NormalizationRequestQuerySet(models.QuerySet["NormalizationRequest"]):
    """Domain words for selecting requests."""

    def queued(self) -> "NormalizationRequestQuerySet":
        """Those that wait for admission."""
        return self.filter(status=NormalizationRequest.Status.QUEUED)

    def single(self) -> "NormalizationRequestQuerySet":
        """Those that came by themselves, oldest first: somebody waits for each."""
        return self.filter(batch=None).order_by("id")

    def batched(self) -> "NormalizationRequestQuerySet":
        """Those that came in batches, oldest first."""
        return self.filter(batch__isnull=False).order_by("batch_id", "id")

    def unfinished(self) -> "NormalizationRequestQuerySet":
        """Those that have no end yet."""
        return self.filter(
            status__in=[NormalizationRequest.Status.QUEUED, NormalizationRequest.Status.PROCESSING]
        )

    def finished(self) -> "NormalizationRequestQuerySet":
        """Those that have their end."""
        return self.exclude(
            status__in=[NormalizationRequest.Status.QUEUED, NormalizationRequest.Status.PROCESSING]
        )

    def waiting_for(self, resolution: Resolution) -> "NormalizationRequestQuerySet":
        """Those that get the resolution's answer once there is one."""
        return self.filter(resolution=resolution, status=NormalizationRequest.Status.PROCESSING)

    def answered(self, since: datetime) -> "NormalizationRequestQuerySet":
        """Those completed, of all that were made since a time."""
        return self.filter(status=NormalizationRequest.Status.COMPLETED, created_at__gte=since)

    def for_client(self, client: Client) -> "NormalizationRequestQuerySet":
        """The client's own, newest first."""
        return self.filter(client=client).order_by("-id")


class NormalizationRequest(models.Model):
    """A transaction that a client wants to know the merchant of."""

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
    # The decimal in the client's own digits: it is given back, never reckoned with.
    amount = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    date = models.DateField(null=True, blank=True)
    mcc = models.CharField("MCC", max_length=4, blank=True)
    country = models.CharField(max_length=2, blank=True)
    city = models.CharField(max_length=100, blank=True)
    reference = models.CharField(max_length=255, blank=True, help_text="The client's own id.")
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
        null=True, blank=True, help_text="Its place in the batch's input, from 1."
    )
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = NormalizationRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "request"
        indexes = [
            # A client's requests, newest first: ids begin with the time.
            models.Index(fields=["client", "-id"], name="request_of_client"),
            # Admission: what is queued, single ones and then batches, each oldest first. As
            # small as the backlog.
            models.Index(
                fields=["batch", "id"], name="request_queued", condition=Q(status="queued")
            ),
            # A batch's rows in the order of its input.
            models.Index(
                fields=["batch", "row"], name="request_of_batch", condition=Q(batch__isnull=False)
            ),
            # The client's list by a rare status. Nearly all rows are completed, and those that
            # are queued have their index above, so that a submit pays nothing for this one.
            models.Index(
                fields=["client", "status", "-id"],
                name="request_rare_status",
                condition=Q(status__in=["processing", "failed", "canceled"]),
            ),
            # Who waits for a resolution, and who had its answer.
            models.Index(
                fields=["resolution", "status"],
                name="request_of_resolution",
                condition=Q(resolution__isnull=False),
            ),
            # A client's look-up by its own id.
            models.Index(
                fields=["client", "reference"],
                name="request_reference",
                condition=~Q(reference=""),
            ),
            # The staff's search by the beginning of a descriptor.
            models.Index(
                fields=["description"],
                name="request_description",
                opclasses=["varchar_pattern_ops"],
            ),
        ]

    def __str__(self) -> str:
        return self.description

    def as_transaction(self) -> Transaction:
        """Return the transaction as the heuristic takes it."""
        return Transaction(
            description=self.description,
            amount=Decimal(self.amount) if self.amount else None,
            currency=self.currency,
            date=self.date,
            mcc=self.mcc,
            country=self.country,
            city=self.city,
        )


class Feedback(models.Model):
    """Somebody's word that an answer is wrong, and what became of it."""

    class Status(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(
        NormalizationRequest, on_delete=models.CASCADE, related_name="feedback"
    )
    merchant_name = models.CharField("right name", max_length=200)
    comment = models.CharField(max_length=1000, blank=True)
    given_by = models.CharField(
        max_length=150, blank=True, help_text="The staff member; empty: the client."
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.OPEN)
    merchant = models.ForeignKey(
        Merchant,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="feedback",
        help_text="The merchant that it was accepted for.",
    )
    reviewed_by = models.CharField(max_length=150, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "feedback"
        permissions = [("review_feedback", "Can accept and reject feedback")]
        indexes = [
            # The review list.
            models.Index(fields=["-id"], name="feedback_open", condition=Q(status="open"))
        ]

    def __str__(self) -> str:
        return f"{self.request} is {self.merchant_name}"
