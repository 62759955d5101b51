"""How events reach a client's URLs: webhook, event, delivery, attempt."""

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from pave.clients.models import Client
from pave.identifiers import new_id
from webhooks.fields import EncryptedJSONField, EncryptedTextField


class WebhookQuerySet(models.QuerySet["Webhook"]):
    """Domain words for selecting webhooks."""

    def existing(self) -> "WebhookQuerySet":
        """Those that are not deleted."""
        return self.filter(deleted_at=None)

    def for_client(self, client: Client) -> "WebhookQuerySet":
        """The client's own, deleted ones left out, oldest first."""
        return self.existing().filter(client=client).order_by("id")

    def with_due(self, now: datetime) -> "WebhookQuerySet":
        """Enabled ones that have a delivery due, longest waiting first.

        ``next_due_at`` is one probe of an index for each webhook, and ``in_flight`` counts what
        is under way, so the cost does not depend on how long the backlogs are.
        """
        pending = Delivery.objects.filter(
            webhook=OuterRef("pk"), status=Delivery.Status.PENDING
        ).order_by("next_attempt_at")
        delivering = (
            Delivery.objects.filter(webhook=OuterRef("pk"), status=Delivery.Status.DELIVERING)
            .order_by()
            .values("webhook")
            .annotate(count=models.Count("pk"))
            .values("count")
        )
        return (
            self.filter(enabled=True, deleted_at=None)
            .annotate(next_due_at=Subquery(pending.values("next_attempt_at")[:1]))
            .filter(next_due_at__lte=now)
            .annotate(in_flight=Coalesce(Subquery(delivering), 0))
            .filter(in_flight__lt=F("max_in_flight"))
            .order_by("next_due_at")
        )


class Webhook(models.Model):
    """A URL of a client's that is told of events."""

    class DisabledBy(models.TextChoices):
        GONE = "gone", "The endpoint answered 410 Gone"
        FAILING = "failing", "Nothing but failure for five days"
        CLIENT = "client", "The client disabled it"
        STAFF = "staff", "Staff disabled it"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField("URL", max_length=2048)
    description = models.CharField(max_length=500, blank=True)
    events = models.JSONField(
        default=list,
        blank=True,
        help_text='Event types, such as "normalization.completed" or "normalization.*". '
        "Empty: all of them.",
    )
    headers = EncryptedJSONField(
        default=dict, blank=True, help_text="Headers of the client's own, sent with each message."
    )
    max_in_flight = models.PositiveSmallIntegerField(
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(64)],
        help_text="How many messages may be under way to it at the same time.",
    )
    enabled = models.BooleanField(
        default=True, help_text="While it is disabled, deliveries are held, and none is lost."
    )
    disabled_by = models.CharField(max_length=16, choices=DisabledBy.choices, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(
        null=True, blank=True, help_text="When the failures began that no success has ended since."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="A deleted webhook stays for its deliveries' sake."
    )

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The admin's list of webhooks that need a person.
            models.Index(
                fields=["disabled_at"],
                name="webhook_disabled",
                condition=Q(enabled=False, deleted_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.url


class SigningSecret(models.Model):
    """A secret that a webhook's messages are signed with; after a rotation there are two."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="secrets")
    secret = EncryptedTextField()
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"secret of {self.created_at:%Y-%m-%d %H:%M}"


class Event(models.Model):
    """Something that happened, with the bytes that tell of it, fixed when it happened."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    type = models.CharField(max_length=64)
    subject_id = models.UUIDField(help_text="What it is about: a request's or a batch's id.")
    body = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # The deliveries of a request, in the API and the admin.
            models.Index(fields=["subject_id"], name="event_subject"),
            # A client's events in a window of time.
            models.Index(fields=["client", "id"], name="event_client"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Domain words for selecting deliveries."""

    def due(self, now: datetime) -> "DeliveryQuerySet":
        """Those to be attempted by ``now``."""
        return self.filter(status=Delivery.Status.PENDING, next_attempt_at__lte=now)

    def stale(self, now: datetime) -> "DeliveryQuerySet":
        """Those under way whose sender has not been heard of within its lease."""
        return self.filter(status=Delivery.Status.DELIVERING, lease_expires_at__lte=now)

    def for_client(self, client: Client) -> "DeliveryQuerySet":
        """Those to the client's webhooks."""
        return self.filter(webhook__client=client)


class Delivery(models.Model):
    """One event on its way to one webhook."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERING = "delivering"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        HELD = "held"
        CANCELED = "canceled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    webhook = models.ForeignKey(
        Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(
        default=0, help_text="Attempts begun; counted before the message is sent."
    )
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "webhook"], name="one_delivery_an_event")
        ]
        indexes = [
            # The claim: what is due for a webhook, oldest first. As small as the backlog.
            models.Index(
                fields=["webhook", "next_attempt_at", "id"],
                name="delivery_due",
                condition=Q(status="pending"),
            ),
            # What is under way for a webhook, and whose lease has ended.
            models.Index(
                fields=["webhook", "lease_expires_at"],
                name="delivery_under_way",
                condition=Q(status="delivering"),
            ),
            # The sweep's question whether anything is due at all.
            models.Index(
                fields=["next_attempt_at"],
                name="delivery_next",
                condition=Q(status="pending"),
            ),
            # A webhook's deliveries in the API and the admin, newest first.
            models.Index(fields=["webhook", "-id"], name="delivery_of_webhook"),
            # Those held for a webhook, released in order.
            models.Index(
                fields=["webhook", "id"], name="delivery_held", condition=Q(status="held")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.id}"


class DeliveryAttempt(models.Model):
    """One time that a delivery was tried, with all that is known of it."""

    class Trigger(models.TextChoices):
        AUTOMATIC = "automatic"
        MANUAL = "manual"
        RECOVER = "recover"
        TEST = "test"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempt_set")
    number = models.PositiveIntegerField()
    trigger = models.CharField(max_length=16, choices=Trigger.choices, default=Trigger.AUTOMATIC)
    url = models.CharField("URL", max_length=2048)
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField(null=True)
    resolved_address = models.CharField(max_length=64, blank=True)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField("error class", max_length=16, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    request_headers = models.JSONField(default=dict)
    response_headers = models.JSONField(default=dict)
    response_head = models.TextField(blank=True)
    timings = models.JSONField(default=dict, help_text="Milliseconds of each phase.")

    class Meta:
        ordering = ["delivery", "number"]
        # An attempt has one row, whoever writes it; this is also the index behind its page.
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="one_row_an_attempt")
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.error or self.status_code}"

    @property
    def ok(self) -> bool:
        """Whether the endpoint took the message."""
        return not self.error
