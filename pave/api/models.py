"""Idempotency keys of requests."""

from django.db import models

from pave.clients.models import Client

KEY_LENGTH = 255


class IdempotencyKey(models.Model):
    """A client's Idempotency-Key, and the response to its first request."""

    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, related_name="idempotency_keys", db_index=False
    )
    key = models.CharField(max_length=KEY_LENGTH)
    fingerprint = models.CharField(
        max_length=64, help_text="SHA-256 of the request: a different one may not use the key."
    )
    token = models.UUIDField(help_text="The process that handles the request.")
    lease_expires_at = models.DateTimeField(
        null=True, help_text="When the claim ends; empty once there is a response."
    )
    status_code = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    # Encrypted: the response to a new webhook contains its secret.
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            # The claim: only one of the requests with one key can insert it.
            models.UniqueConstraint(fields=["client", "key"], name="one_use_of_a_key")
        ]
        indexes = [
            # Expired keys.
            models.Index(fields=["expires_at"], name="idempotency_key_expiry"),
        ]

    def __str__(self) -> str:
        return self.key
