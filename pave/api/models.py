"""Idempotency keys of requests."""

from uuid import uuid4

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
    # The claim of a process of the first release; both can be removed a release after the second.
    token = models.UUIDField(default=uuid4)
    lease_expires_at = models.DateTimeField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    # Encrypted: the response to a new webhook contains its secret.
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "key"], name="one_use_of_a_key")]
        indexes = [
            # Expired keys.
            models.Index(fields=["expires_at"], name="idempotency_key_expiry"),
        ]

    def __str__(self) -> str:
        return self.key
