"""Mails to staff about webhooks that were disabled automatically."""

import time
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model

from pave.clients.models import Client
from webhooks.endpoints import mail
from webhooks.models import Delivery, Webhook

# Webhooks that a mail describes.
_LISTED = 10


def send_alerts(*, until: float) -> int:
    """Send a mail for each client with webhooks awaiting an alert; return how many were sent.

    Args:
        until: When to leave the rest to the next sweep, in seconds of the monotonic clock.
    """
    sent = 0
    awaiting = Webhook.objects.awaiting_alert()
    for client in Client.objects.filter(pk__in=awaiting.values("client")):
        if mail.is_unavailable() or time.monotonic() > until:
            break
        webhooks, now = mail.claim(
            client,
            awaiting,
            field="staff_alert_due_at",
            pause=timedelta(seconds=mail.RETRY_SECONDS),
        )
        webhooks.sort(key=lambda webhook: webhook.disabled_at or now)
        if webhooks and _send(client, webhooks):
            # As of then: one that is disabled again meanwhile is reported again.
            mail.rows(webhooks).update(staff_told_at=now)
            sent += 1
    return sent


def recipients() -> list[str]:
    """Return whom to write to: ADMINS if there are any, else staff who have an address.

    Without either the mail goes to DEFAULT_FROM_EMAIL, so that it is at least in the mail log.
    """
    if settings.ADMINS:
        return [admin if isinstance(admin, str) else admin[1] for admin in settings.ADMINS]
    staff = get_user_model().objects.filter(is_staff=True, is_active=True).exclude(email="")
    return list(staff.order_by("pk").values_list("email", flat=True)) or [
        settings.DEFAULT_FROM_EMAIL
    ]


def _send(client: Client, webhooks: Sequence[Webhook]) -> bool:
    number = len(webhooks)
    what = "Webhook" if number == 1 else f"{number} webhooks"
    parts = [_described(webhook) for webhook in webhooks[:_LISTED]]
    if number > _LISTED:
        parts.append(f"And {number - _LISTED} more.\n")
    parts.append(
        "Enabling a webhook releases what is held. Each delivery is held for "
        f"{settings.PAVE_HELD_DAYS} days.\n"
    )
    return mail.send(
        subject=f"{what} of client {client.client_id} disabled",
        message="\n".join([f"Client: {client}\n", *parts]),
        to=recipients(),
        client=client.client_id,
    )


def _described(webhook: Webhook) -> str:
    held = Delivery.objects.held().filter(webhook=webhook).count()
    return (
        f"{webhook.get_disabled_by_display()}.\n"
        f"Webhook:  {webhook.pk}\n"
        f"URL:      {webhook.url}\n"
        f"Disabled: {webhook.disabled_at:%Y-%m-%d %H:%M} UTC\n"
        f"Held:     {held} deliveries\n"
    )
