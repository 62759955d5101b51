"""``manage.py rotate_encryption``: encrypt everything with the newest key."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from pave.api import idempotency
from webhooks.fields import Unreadable
from webhooks.models import SigningSecret, Webhook

BATCH = 500


class Command(BaseCommand):
    help = (
        "Encrypt signing secrets, headers and stored responses again with the first of "
        "FIELD_ENCRYPTION_KEYS. After it the other keys can be dropped. Safe to repeat, and to "
        "interrupt."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        # Whatever is written is encrypted with the first key, and every key decrypts.
        secrets = webhooks = self._unreadable = 0
        for secret in SigningSecret.objects.order_by("pk").iterator(BATCH):
            if isinstance(secret.secret, Unreadable):
                self._unreadable += secret.expires_at is None  # the others are rotated out
                continue
            secrets += SigningSecret.objects.filter(pk=secret.pk).update(secret=secret.secret)
        for pk in Webhook.objects.order_by("pk").values_list("pk", flat=True).iterator(BATCH):
            webhooks += self._encrypt_headers(pk)
        answers = idempotency.rotate_encryption()
        self.stdout.write(
            f"Encrypted {secrets} signing secrets, the headers of {webhooks} webhooks, "
            f"{answers} responses stored for Idempotency-Key."
        )
        if self._unreadable:
            raise CommandError(
                f"None of FIELD_ENCRYPTION_KEYS decrypts {self._unreadable} others: add the one "
                "that did, and repeat. Without it, rotate the secrets of the webhooks that "
                "webhook.unreadable names in the log, and set their headers again."
            )

    def _encrypt_headers(self, pk: UUID) -> int:
        # Locked, since clients may be changing them meanwhile.
        with transaction.atomic():
            webhook = Webhook.objects.select_for_update(no_key=True).filter(pk=pk).first()
            if webhook is None:
                return 0
            if isinstance(webhook.headers, Unreadable):
                self._unreadable += 1
                return 0
            return Webhook.objects.filter(pk=pk).update(headers=webhook.headers)
