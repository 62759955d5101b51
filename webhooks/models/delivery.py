"""A delivery of an event to a webhook, and its attempts."""

from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models import Q

from pave.clients.models import Client
from pave.core.ids import new_id
from webhooks.models.event import Event
from webhooks.models.recovery import Recovery
from webhooks.models.webhook import Webhook

ATTEMPTS_SHOWN = 100


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Queries for deliveries."""

    def waiting(self) -> "DeliveryQuerySet":
        """Those that wait for an attempt."""
        return self.filter(status=Delivery.Status.PENDING)

    def due(self, now: datetime) -> "DeliveryQuerySet":
        """Those to be attempted by ``now``."""
        return self.waiting().filter(next_attempt_at__lte=now)

    def on_demand(self) -> "DeliveryQuerySet":
        """Those requested by a person or a recovery: a disabled webhook gets these too."""
        return self.waiting().filter(trigger__in=Delivery.ON_DEMAND)

    def in_flight(self) -> "DeliveryQuerySet":
        """Those that a dispatcher is attempting now."""
        return self.filter(status=Delivery.Status.DELIVERING)

    def stale(self, now: datetime) -> "DeliveryQuerySet":
        """Those in flight whose lease has ended: their dispatcher died or hangs.

        Also those without a lease: a retry by an earlier release could leave some.
        """
        return self.in_flight().filter(Q(lease_expires_at__lte=now) | Q(lease_expires_at=None))

    def held(self) -> "DeliveryQuerySet":
        """Those that wait for their webhook to be enabled."""
        return self.filter(status=Delivery.Status.HELD)

    def for_client(self, client: Client) -> "DeliveryQuerySet":
        """Those to the client's webhooks, also deleted ones."""
        return self.filter(webhook__client=client)

    def update_in_order(self, **values: Any) -> int:
        """Update many rows, locked in id order first to avoid deadlocks.

        A plain UPDATE locks in the order of its query plan.
        """
        with transaction.atomic(savepoint=False):
            locked = self.select_for_update(no_key=True, of=("self",)).order_by("id")
            return Delivery.objects.filter(pk__in=list(locked.values_list("pk", flat=True))).update(
                **values
            )


class Delivery(models.Model):
    """The delivery of one event to one webhook."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERING = "delivering"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        HELD = "held"
        CANCELED = "canceled"

    class Trigger(models.TextChoices):
        AUTOMATIC = "automatic"
        MANUAL = "manual"
        RECOVER = "recover"
        TEST = "test"

    ON_DEMAND = (Trigger.MANUAL, Trigger.RECOVER)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # The constraint below is its index.
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    webhook = models.ForeignKey(
        Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    held_by = models.CharField(
        "held because", max_length=16, choices=Webhook.DisabledBy.choices, blank=True
    )
    attempts = models.PositiveIntegerField(
        default=0, help_text="Attempts begun; counted before the message is sent."
    )
    step = models.PositiveSmallIntegerField(
        default=0, help_text="Its position in the retry schedule: failures that count there."
    )
    trigger = models.CharField(
        max_length=16,
        choices=Trigger.choices,
        default=Trigger.AUTOMATIC,
        help_text="What triggers the next attempt, or triggered the last one.",
    )
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    resume_status = models.CharField(
        max_length=16,
        choices=Status.choices,
        blank=True,
        help_text="The status that it returns to if a manual attempt fails.",
    )
    resume_at = models.DateTimeField(
        null=True, blank=True, help_text="When the automatic attempt was due before the manual one."
    )
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=128, blank=True)
    recovery = models.ForeignKey(
        Recovery,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="deliveries",
        db_index=False,
    )
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        permissions = [("retry_delivery", "Can retry and cancel deliveries")]
        constraints = [
            models.UniqueConstraint(fields=["event", "webhook"], name="one_delivery_an_event")
        ]
        indexes = [
            # The claim: which webhooks have anything waiting, and what is due for one of them,
            # oldest first. As small as the backlog.
            models.Index(
                fields=["webhook", "next_attempt_at", "id"],
                name="delivery_due",
                condition=Q(status="pending"),
            ),
            # The same for those on demand.
            models.Index(
                fields=["webhook", "next_attempt_at", "id"],
                name="delivery_asked_for",
                condition=Q(status="pending", trigger__in=["manual", "recover"]),
            ),
            # What is in flight to a webhook, and whose lease has ended.
            models.Index(
                fields=["webhook", "lease_expires_at"],
                name="delivery_under_way",
                condition=Q(status="delivering"),
            ),
            # Whether anything is due at all.
            models.Index(
                fields=["next_attempt_at"],
                name="delivery_next",
                condition=Q(status="pending"),
            ),
            # A webhook's deliveries in the API and the admin, newest first.
            models.Index(fields=["webhook", "-id"], name="delivery_of_webhook"),
            # What is held for a webhook, released in order; what has failed, for a recovery.
            models.Index(
                fields=["webhook", "status", "id"],
                name="delivery_unsent",
                condition=Q(status__in=["held", "failed"]),
            ),
            # The admin's list of canceled ones; they are few.
            models.Index(fields=["-id"], name="delivery_canceled", condition=Q(status="canceled")),
            # A recovery's progress.
            models.Index(
                fields=["recovery", "status"],
                name="delivery_of_recovery",
                condition=Q(recovery__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.id}"

    def latest_attempts(self) -> "models.QuerySet[DeliveryAttempt]":
        """Return the attempts with the highest numbers, highest first, ``ATTEMPTS_SHOWN`` at most.

        A client can retry manually as often as it likes, and each attempt may be 13 KB.
        """
        return self.attempt_set.order_by("-number")[:ATTEMPTS_SHOWN]


class DeliveryAttempt(models.Model):
    """One attempt of a delivery, with the evidence for its outcome."""

    Trigger = Delivery.Trigger

    # The constraint below is its index.
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="attempt_set", db_index=False
    )
    number = models.PositiveIntegerField()
    trigger = models.CharField(
        max_length=16, choices=Delivery.Trigger.choices, default=Delivery.Trigger.AUTOMATIC
    )
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
        # An attempt has one row; this is also the index for its page.
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="one_row_an_attempt")
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.error or self.status_code}"

    @property
    def ok(self) -> bool:
        """Whether the endpoint accepted the message."""
        return not self.error
