"""Where messages go, and the secrets that they are signed with."""

from datetime import datetime, timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from pave.clients.models import Client
from pave.core.ids import new_id
from webhooks.fields import EncryptedJSONField, EncryptedTextField
from webhooks.policies.circuit_breaker import EndpointHealth

MAX_IN_FLIGHT = 64
# Staff are alerted at most this often about the webhooks of one client.
ALERT_INTERVAL = timedelta(hours=1)


class WebhookQuerySet(models.QuerySet["Webhook"]):
    """Queries for webhooks."""

    def existing(self) -> "WebhookQuerySet":
        """Those that are not deleted."""
        return self.filter(deleted_at=None)

    def for_client(self, client: Client) -> "WebhookQuerySet":
        """The client's own, deleted ones left out, oldest first."""
        return self.existing().filter(client=client).order_by("id")

    def active(self, now: datetime) -> "WebhookQuerySet":
        """Enabled ones that are not paused."""
        return self.existing().filter(
            Q(paused_until=None) | Q(paused_until__lte=now),
            enabled=True,
        )

    def awaiting_alert(self) -> "WebhookQuerySet":
        """Those that were disabled automatically and not reported to staff yet.

        Those of a client are reported at most once in ``ALERT_INTERVAL``, since it may enable and
        break them, or delete and create them, as often as it likes; and one attempt at a time.
        """
        now = timezone.now()
        of_client = Webhook.objects.filter(client=OuterRef("client"))
        reported = of_client.filter(
            Q(staff_told_at__gt=now - ALERT_INTERVAL) | Q(staff_alert_due_at__gt=now)
        )
        return self.existing().filter(
            Q(staff_told_at=None) | Q(staff_told_at__lt=F("disabled_at")),
            # Also of the row itself, since only that is looked at again when it has been locked.
            Q(staff_alert_due_at=None) | Q(staff_alert_due_at__lte=now),
            ~Exists(reported),
            enabled=False,
            disabled_by__in=Webhook.DISABLED_AUTOMATICALLY,
        )


class Webhook(models.Model):
    """A client's URL that receives events."""

    class DisabledBy(models.TextChoices):
        GONE = "gone", "The endpoint answered 410 Gone"
        ASKED = "asked", "The endpoint asked for it in a header of its answer"
        FAILING = "failing", "Nothing but failure for five days"
        CLIENT = "client", "The client disabled it"
        STAFF = "staff", "Staff disabled it"

    # Not decided by a person, so staff are alerted.
    DISABLED_AUTOMATICALLY = (DisabledBy.GONE, DisabledBy.ASKED, DisabledBy.FAILING)

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
        default=16,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_IN_FLIGHT)],
        help_text="How many messages may be in flight to it at the same time.",
    )
    enabled = models.BooleanField(
        default=True,
        help_text="While it is disabled, deliveries are held, for a month by default.",
    )
    disabled_by = models.CharField(max_length=16, choices=DisabledBy.choices, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    staff_told_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When staff were notified that it was disabled automatically.",
    )
    staff_alert_due_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When to try that again, unless the attempt since succeeds.",
    )
    unnotified_changes = models.TextField(
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Changes of its URL and secrets of which its client's contact is to be notified.",
    )
    contact_due_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When to notify of them; empty: it has been.",
    )
    contact_notified_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When its client's contact was last notified.",
    )
    failing_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when there have been only failures."
    )
    failing_days = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="On how many days (UTC) close together a message failed, three at most.",
    )
    failed_on = models.DateField(null=True, editable=False, help_text="The last of these days.")
    # The endpoint's health: an EndpointHealth of webhooks/policies/circuit_breaker.py.
    window = models.PositiveSmallIntegerField(
        default=1, help_text="How many messages it is trusted with at once at present."
    )
    steady = models.BooleanField(
        null=True,
        help_text="Whether its last response was prompt, so that it cannot block a sender. "
        "Unknown: it has had no message yet.",
    )
    breaker_failures = models.PositiveIntegerField(
        default=0, help_text="Consecutive attempts without a response."
    )
    breaker_failed_at = models.DateTimeField(null=True, blank=True)
    breaker_opened_at = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="Nothing is sent to it until then; its deliveries wait."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="A deleted webhook is kept for the record of its deliveries.",
    )

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("operate_webhook", "Can test, check, enable, disable, recover webhooks"),
            ("rotate_secret", "Can rotate signing secrets"),
        ]
        indexes = [
            # The admin's list of webhooks that need attention, and those to alert staff about.
            models.Index(
                fields=["disabled_at"],
                name="webhook_disabled",
                condition=Q(enabled=False, deleted_at=None),
            ),
            # A client's; it may have created and deleted very many.
            models.Index(
                fields=["client", "id"],
                name="webhook_of_client",
                condition=Q(deleted_at__isnull=True),
            ),
            # Those of whose changes a contact is to be notified.
            models.Index(
                fields=["contact_due_at"],
                name="webhook_contact_due",
                condition=Q(contact_due_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def health(self) -> EndpointHealth:
        """The endpoint's health, as the policy sees it."""
        return EndpointHealth(
            window=self.window,
            steady=self.steady,
            failures=self.breaker_failures,
            failed_at=self.breaker_failed_at,
            opened_at=self.breaker_opened_at,
            paused_until=self.paused_until,
        )

    @health.setter
    def health(self, health: EndpointHealth) -> None:
        self.window = health.window
        self.steady = health.steady
        self.breaker_failures = health.failures
        self.breaker_failed_at = health.failed_at
        self.breaker_opened_at = health.opened_at
        self.paused_until = health.paused_until

    # What speaks of the endpoint at the URL; the last six are the columns of ``health``.
    HEALTH_FIELDS = (
        "failing_since",
        "failing_days",
        "failed_on",
        "window",
        "steady",
        "breaker_failures",
        "breaker_failed_at",
        "breaker_opened_at",
        "paused_until",
    )

    @property
    def breaker(self) -> str:
        """The breaker's state now: closed, open or half-open."""
        return self.health.state(timezone.now())

    def is_paused(self, now: datetime) -> bool:
        """Whether nothing may be sent to it now."""
        return self.health.is_paused(now)

    def remaining_capacity(self, in_flight: int) -> int:
        """Return how many more messages may be in flight to it."""
        return max(0, min(self.health.limit, self.max_in_flight) - in_flight)


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
