"""Every change of a webhook: made, changed, disabled, enabled, deleted, its secret rotated."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import mail_admins
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from pave.caching import CachedLookup
from pave.clients.models import Client
from webhooks.addresses import AddressPolicy
from webhooks.bells import SEND
from webhooks.models import Delivery, SigningSecret, Webhook
from webhooks.signing import generate_secret

logger = logging.getLogger(__name__)

# How long the old secret goes on signing after a rotation, unless the client says otherwise.
DEFAULT_OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What publishing needs to know of a webhook; kept in the cache."""

    webhook_id: UUID
    events: tuple[str, ...]
    enabled: bool

    def takes(self, event_type: str) -> bool:
        """Return whether the webhook wants events of this type."""
        group = event_type.partition(".")[0] + ".*"
        return not self.events or event_type in self.events or group in self.events


def address_policy() -> AddressPolicy:
    """Return the rules of this installation for the addresses of webhooks."""
    return AddressPolicy(
        allowed_networks=tuple(settings.PAVE_WEBHOOK_ALLOWED_NETWORKS),
        allow_http=settings.PAVE_WEBHOOK_ALLOW_HTTP,
    )


def subscribers(client_pk: int) -> tuple[Subscriber, ...]:
    """Return a client's webhooks, from the cache where they are there."""
    return _by_client.get(str(client_pk)) or ()


def create(*, client: Client, url: str, **fields: Any) -> tuple[Webhook, str]:
    """Make a webhook and return it with its secret, which is not shown again.

    Args:
        client: Whose it is.
        url: Where messages go; already checked by the caller's form or serializer.
        fields: Other fields of the model.
    """
    secret = generate_secret()
    with transaction.atomic():
        webhook = Webhook.objects.create(client=client, url=url, **fields)
        SigningSecret.objects.create(webhook=webhook, secret=secret)
        _forget(client.pk)
    return webhook, secret


def change(*, webhook: Webhook, fields: Mapping[str, Any]) -> None:
    """Change fields of a webhook, but for ``enabled``, which has ``enable`` and ``disable``."""
    with transaction.atomic():
        for name, value in fields.items():
            setattr(webhook, name, value)
        webhook.save(update_fields=list(fields))
        _forget(webhook.client_id)


def disable(*, webhook_id: UUID, by: Webhook.DisabledBy, now: datetime | None = None) -> bool:
    """Stop sending to a webhook and hold its waiting deliveries; none is lost.

    Returns:
        Whether it was enabled before.
    """
    now = now or timezone.now()
    with transaction.atomic():
        changed = Webhook.objects.filter(pk=webhook_id, enabled=True).update(
            enabled=False, disabled_by=by, disabled_at=now
        )
        if not changed:
            return False
        held = Delivery.objects.filter(
            webhook_id=webhook_id, status=Delivery.Status.PENDING
        ).update(status=Delivery.Status.HELD, next_attempt_at=None)
        webhook = Webhook.objects.select_related("client").get(pk=webhook_id)
        _forget(webhook.client_id)
        transaction.on_commit(lambda: _tell_staff(webhook, held))
    return True


def enable(*, webhook: Webhook) -> int:
    """Send to a webhook again, and release what is held for it.

    Returns:
        How many deliveries were released.
    """
    now = timezone.now()
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(
            enabled=True, disabled_by="", disabled_at=None, failing_since=None
        )
        released = Delivery.objects.filter(webhook=webhook, status=Delivery.Status.HELD).update(
            status=Delivery.Status.PENDING, next_attempt_at=now
        )
        _forget(webhook.client_id)
        SEND.ring()
    webhook.refresh_from_db()
    return released


def delete(*, webhook: Webhook) -> None:
    """Take a webhook out of use for good; its deliveries stay on record, waiting ones canceled."""
    now = timezone.now()
    with transaction.atomic():
        Webhook.objects.filter(pk=webhook.pk).update(enabled=False, deleted_at=now)
        Delivery.objects.filter(
            webhook=webhook, status__in=[Delivery.Status.PENDING, Delivery.Status.HELD]
        ).update(status=Delivery.Status.CANCELED, next_attempt_at=None, finished_at=now)
        _forget(webhook.client_id)


def rotate_secret(*, webhook: Webhook, overlap: timedelta = DEFAULT_OVERLAP) -> str:
    """Give a webhook a new secret; the old ones go on signing beside it for ``overlap``."""
    secret = generate_secret()
    expires_at = timezone.now() + overlap
    with transaction.atomic():
        webhook.secrets.filter(Q(expires_at=None) | Q(expires_at__gt=expires_at)).update(
            expires_at=expires_at
        )
        SigningSecret.objects.create(webhook=webhook, secret=secret)
    return secret


def settle_disabled(*, now: datetime) -> None:
    """Hold what still waits for a disabled webhook, and cancel what waits for a deleted one.

    An event may be published in the moment in which its webhook is disabled, by a process that
    has not seen it yet.
    """
    waiting = Delivery.objects.filter(status=Delivery.Status.PENDING)
    deleted = Webhook.objects.exclude(deleted_at=None)
    disabled = Webhook.objects.existing().filter(enabled=False)
    waiting.filter(webhook__in=deleted).update(
        status=Delivery.Status.CANCELED, next_attempt_at=None, finished_at=now
    )
    waiting.filter(webhook__in=disabled).update(status=Delivery.Status.HELD, next_attempt_at=None)


def _tell_staff(webhook: Webhook, held: int) -> None:
    logger.warning(
        "webhook.disabled webhook=%s client=%s by=%s held=%s",
        webhook.pk,
        webhook.client.client_id,
        webhook.disabled_by,
        held,
    )
    if webhook.disabled_by in (Webhook.DisabledBy.GONE, Webhook.DisabledBy.FAILING):
        mail_admins(
            f"Webhook of client {webhook.client.client_id} disabled",
            f"{webhook.get_disabled_by_display()}: {webhook.url}\n"
            f"{held} deliveries are held. Enabling the webhook in the admin releases them.\n",
            fail_silently=True,
        )


def _load(client_pk: str) -> tuple[Subscriber, ...]:
    return tuple(
        Subscriber(webhook_id=pk, events=tuple(events), enabled=enabled)
        for pk, events, enabled in Webhook.objects.existing()
        .filter(client_id=int(client_pk))
        .order_by("id")
        .values_list("pk", "events", "enabled")
    )


def _forget(client_pk: int) -> None:
    _by_client.forget(str(client_pk))


_by_client: CachedLookup[tuple[Subscriber, ...]] = CachedLookup("webhooks", _load)
