"""The audit trail of staff, and of clients."""

from django.conf import settings
from django.db import models


class AuditEntry(models.Model):
    """One action of a person or a client, with the values before and after. Never a secret."""

    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    username = models.CharField(
        "who", max_length=150, help_text="An account, which may be deleted, or a client."
    )
    action = models.CharField("what", max_length=100)
    model = models.CharField(max_length=100, help_text="Such as webhooks.webhook.")
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField("of which", max_length=300, blank=True)
    changes = models.JSONField(
        default=dict, blank=True, help_text="Values before and after, by field."
    )
    detail = models.CharField("outcome", max_length=1000, blank=True)
    address = models.CharField(max_length=64, blank=True, help_text="The caller's address.")

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"
        default_permissions = ("view",)
        indexes = [
            # What was done to an object, on its page.
            models.Index(fields=["model", "object_id", "-id"], name="audit_of_object"),
            # A person's actions.
            models.Index(fields=["username", "-id"], name="audit_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.username}: {self.action}"
