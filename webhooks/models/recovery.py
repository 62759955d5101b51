"""A job that sends again what never succeeded."""

from django.db import models
from django.db.models import Q

from pave.clients.models import Client
from pave.core.ids import new_id
from webhooks.models.webhook import Webhook


class RecoveryQuerySet(models.QuerySet["Recovery"]):
    """Queries for recoveries."""

    def running(self) -> "RecoveryQuerySet":
        """Those that are still running, oldest first."""
        return self.filter(status=Recovery.Status.RUNNING).order_by("id")

    def for_client(self, client: Client) -> "RecoveryQuerySet":
        """Those of the client's webhooks, also deleted ones."""
        return self.filter(webhook__client=client)


class Recovery(models.Model):
    """A job that sends a webhook's unsuccessful deliveries of a window of time once more."""

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        CANCELED = "canceled"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="recoveries")
    since = models.DateTimeField(help_text="The start of the window.")
    until = models.DateTimeField(help_text="The end of the window, exclusive.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    total = models.PositiveIntegerField(help_text="Deliveries counted before it started.")
    queued = models.PositiveIntegerField(default=0, help_text="Deliveries queued again.")
    last_id = models.UUIDField(null=True, editable=False, help_text="Its progress.")
    all_queued = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = RecoveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "recoveries"
        indexes = [
            # The next batch of each job that is not done.
            models.Index(fields=["id"], name="recovery_running", condition=Q(status="running")),
        ]

    def __str__(self) -> str:
        return f"recovery {self.id}"
