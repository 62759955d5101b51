"""Creating, changing and deleting webhooks, and rotating their secrets.

Disabling and enabling are in ``webhooks.endpoints.enabling``, since they concern deliveries too.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from pave.clients.models import Client
from pave.core.card_numbers.masking import CARD_REFUSED, holds_card_number, masked, masked_value
from webhooks.endpoints import contact_mails, enabling
from webhooks.endpoints.contact_mails import shown_url
from webhooks.http.address_policy import AddressError, AddressPolicy
from webhooks.http.signing import MASK, generate_secret
from webhooks.models import SigningSecret, Webhook
from webhooks.policies.circuit_breaker import EndpointHealth

logger = logging.getLogger(__name__)

HOUR = timedelta(hours=1)
# How long the old secret goes on signing after a rotation, unless the client says otherwise.
DEFAULT_OVERLAP = 24 * HOUR
MAX_OVERLAP = 168 * HOUR
# Every message carries a signature by each live secret.
MAX_LIVE_SECRETS = 5
# Few enough that one event is never thousands of deliveries.
MAX_WEBHOOKS = 100


class Deleted(Exception):
    """The webhook has been deleted meanwhile; the message is a sentence for the client."""

    def __init__(self) -> None:
        super().__init__("This webhook has been deleted.")


class LimitReached(Exception):
    """The client has the maximum already; the message is a sentence for the client."""


def address_policy() -> AddressPolicy:
    """Return the rules of this installation for the addresses of webhooks."""
    return AddressPolicy(
        allowed_networks=tuple(settings.PAVE_WEBHOOK_ALLOWED_NETWORKS),
        allow_http=settings.PAVE_WEBHOOK_ALLOW_HTTP,
    )


def refuse_card_number(url: str) -> None:
    """Refuse a URL that holds a card's number: a masked one would lead elsewhere.

    Raises:
        AddressError: It does.
    """
    if holds_card_number(unquote(url)):
        raise AddressError(f"{CARD_REFUSED} Use a URL without it.")


def create(*, client: Client, url: str, **fields: Any) -> tuple[Webhook, str]:
    """Create a webhook and return it with its secret, which is not shown again.

    Args:
        client: Whose it is.
        url: Where messages go; already checked by the caller's form or serializer.
        fields: Other fields of the model. One that begins disabled is so by its client.

    Raises:
        LimitReached: The client has ``MAX_WEBHOOKS`` already.
    """
    secret = generate_secret()
    fields = _without_card_numbers(fields)
    if not fields.get("enabled", True):
        fields |= {"disabled_by": Webhook.DisabledBy.CLIENT, "disabled_at": timezone.now()}
    with transaction.atomic():
        lock(client)
        if Webhook.objects.for_client(client).count() >= MAX_WEBHOOKS:
            raise LimitReached(f"A client may have {MAX_WEBHOOKS} webhooks; delete one first.")
        webhook = Webhook(client=client, url=url, **fields)
        contact_mails.add_change(webhook, f"created, with the URL {shown_url(url)}")
        webhook.save(force_insert=True)
        SigningSecret.objects.create(webhook=webhook, secret=secret)
    logger.info("webhook.created", extra={"webhook": webhook.pk, "client": client.client_id})
    return webhook, secret


def lock(client: Client) -> None:
    """Lock a client's row, so that its webhooks are created one at a time.

    Call it in the transaction that reads its webhooks and creates one.
    """
    Client.objects.select_for_update(no_key=True).get(pk=client.pk)


def create_or_change(*, client: Client, url: str) -> tuple[Webhook, str | None]:
    """Create the client's webhook, or change the URL of its oldest; return its secret if it is new.

    A disabled webhook is enabled unless staff disabled it, since the original route offers no other
    way.
    """
    with transaction.atomic():
        lock(client)
        while (webhook := Webhook.objects.for_client(client).first()) is not None:
            if change(webhook=webhook, fields={"url": url}):  # else it has just been deleted
                with suppress(enabling.DisabledByStaff):
                    enabling.enable(webhook=webhook, by_client=True)
                return webhook, None
        return create(client=client, url=url)


def change(*, webhook: Webhook, fields: Mapping[str, Any]) -> bool:
    """Change fields of a webhook, but for ``enabled``, which has ``enable`` and ``disable``.

    With another URL the health is reset: the old endpoint's failures are not the new one's. A
    header whose value is ``MASK`` keeps the stored value, if there is one.

    Returns:
        Whether it is changed; it is not if it has been deleted.
    """
    names = list(fields)
    with transaction.atomic():
        stored = lock_existing(webhook)
        if stored is None:
            return False
        for name, value in _without_card_numbers(fields).items():
            if name == "url" and value != stored.url:
                webhook.unnotified_changes = stored.unnotified_changes
                webhook.contact_due_at = stored.contact_due_at
                contact_mails.add_change(
                    webhook, f"the URL {shown_url(stored.url)} was changed to {shown_url(value)}"
                )
                webhook.health = EndpointHealth()
                webhook.failing_since, webhook.failing_days, webhook.failed_on = None, 0, None
                names += [*contact_mails.CHANGE_FIELDS, *Webhook.HEALTH_FIELDS]
            if name == "headers":
                value = _unmasked(value, stored.headers or {})
            setattr(webhook, name, value)
        webhook.save(update_fields=names)
    logger.info("webhook.changed", extra={"webhook": webhook.pk, "changed": sorted(fields)})
    return True


def lock_existing(webhook: Webhook) -> Webhook | None:
    """Return a webhook as it is, locked until the transaction ends; None if it has been deleted."""
    existing = Webhook.objects.existing().filter(pk=webhook.pk)
    return existing.select_for_update(no_key=True).first()


def _unmasked(headers: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    stored = {name.lower(): value for name, value in stored.items()}
    unmasked = {
        name: stored.get(name.lower(), "") if value == MASK else value
        for name, value in headers.items()
    }
    return {name: value for name, value in unmasked.items() if value}


def _without_card_numbers(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a webhook's fields as they may be stored: card numbers in its texts are masked."""
    masked_fields: dict[str, Any] = {}
    if description := fields.get("description"):
        masked_fields["description"] = masked(description)
    if headers := fields.get("headers"):
        masked_fields["headers"] = {name: masked_value(value) for name, value in headers.items()}
    return {**fields, **masked_fields}


def delete(*, webhook: Webhook) -> None:
    """Take a webhook out of use for good; its deliveries stay on record, waiting ones canceled."""
    now = timezone.now()
    with transaction.atomic():
        stored = lock_existing(webhook)
        if stored is not None:
            stored.enabled, stored.deleted_at = False, now
            contact_mails.add_change(stored, f"deleted; its URL was {shown_url(stored.url)}")
            stored.save(update_fields=["enabled", "deleted_at", *contact_mails.CHANGE_FIELDS])
        webhook.secrets.all().delete()
        enabling.cancel_unsent(webhook.pk, now=now)
    logger.info("webhook.deleted", extra={"webhook": webhook.pk})


def rotate_secret(*, webhook: Webhook, overlap: timedelta = DEFAULT_OVERLAP) -> str:
    """Give a webhook a new secret; the old ones go on signing beside it for ``overlap``.

    Raises:
        LimitReached: ``MAX_LIVE_SECRETS`` sign already. It does not happen with no overlap, since
            all the old ones end.
        Deleted: It has been deleted.
    """
    secret = generate_secret()
    with transaction.atomic():
        stored = lock_existing(webhook)
        if stored is None:
            raise Deleted
        now = timezone.now()
        expires_at = now + overlap
        # As they are under the lock, whatever was read with ``webhook``.
        secrets = SigningSecret.objects.filter(webhook=webhook)
        secrets.filter(expires_at__lte=now).delete()
        secrets.filter(Q(expires_at=None) | Q(expires_at__gt=expires_at)).update(
            expires_at=expires_at
        )
        if overlap and secrets.count() >= MAX_LIVE_SECRETS:
            raise LimitReached(
                f"{MAX_LIVE_SECRETS} secrets are live already. Rotate with no overlap, "
                "or wait until one of them ends."
            )
        SigningSecret.objects.create(webhook=webhook, secret=secret)
        contact_mails.add_change(stored, "given a new secret")
        stored.save(update_fields=contact_mails.CHANGE_FIELDS)
    logger.info("webhook.secret_rotated", extra={"webhook": webhook.pk})
    return secret
