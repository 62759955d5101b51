"""Mails to staff about webhooks that were disabled automatically."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import get_connection, send_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from pave.clients.models import Client
from pave.core.caching.cached_lookup import read_cached, write_cached
from pave.core.time_limit import TimeUp, time_limit
from webhooks.models import Delivery, Webhook

logger = logging.getLogger(__name__)

# After a mail that could not be sent, none is tried for this long.
RETRY_SECONDS = 60
# How long a mail may take, in seconds, whatever its server says meanwhile.
MAIL_SECONDS = 8.0
CLOSE_SECONDS = 1.0
# Webhooks that a mail describes.
_LISTED = 10
_MAIL_UNAVAILABLE = "webhooks:mail-unavailable"
# The same for this process, if the cache is away, too; in seconds of the monotonic clock.
_unavailable_until = 0.0


def send_alerts() -> int:
    """Send a mail for each client with webhooks awaiting an alert; return how many were sent.

    Before an attempt the next one is scheduled, so that two workers do not send two mails, and a
    worker that dies meanwhile is followed by another. A mail may come twice, if it dies just then.
    """
    global _unavailable_until
    sent = 0
    if time.monotonic() < _unavailable_until or read_cached(
        _MAIL_UNAVAILABLE, bool, seconds=RETRY_SECONDS
    ):
        return sent
    awaiting = Webhook.objects.awaiting_alert()
    for client in Client.objects.filter(pk__in=awaiting.values("client")):
        webhooks, now = _claim(client, awaiting.filter(client=client))
        if not webhooks:
            continue
        try:
            _send(client, webhooks)
        except (Exception, TimeUp):
            logger.exception("webhook.staff_not_told", extra={"client": client.client_id})
            _unavailable_until = time.monotonic() + RETRY_SECONDS
            write_cached(_MAIL_UNAVAILABLE, True, seconds=RETRY_SECONDS)
            break
        # As of then: one that is disabled again meanwhile is reported again.
        _of(webhooks).update(staff_told_at=now)
        sent += 1
    return sent


@transaction.atomic
def _claim(client: Client, awaiting: QuerySet[Webhook]) -> tuple[list[Webhook], datetime]:
    """Schedule the next attempt to alert staff about a client's webhooks.

    Returns:
        Those for this attempt, and as of when; none while another worker claims some.
    """
    clients = Client.objects.select_for_update(skip_locked=True, no_key=True)
    if not clients.filter(pk=client.pk).exists():
        return [], timezone.now()
    unlocked = awaiting.select_for_update(skip_locked=True, no_key=True, of=("self",))
    webhooks = list(unlocked.order_by("disabled_at"))
    now = timezone.now()
    _of(webhooks).update(staff_alert_due_at=now + timedelta(seconds=RETRY_SECONDS))
    return webhooks, now


def _of(webhooks: Sequence[Webhook]) -> QuerySet[Webhook]:
    return Webhook.objects.filter(pk__in=[webhook.pk for webhook in webhooks])


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


def _send(client: Client, webhooks: Sequence[Webhook]) -> None:
    number = len(webhooks)
    what = "Webhook" if number == 1 else f"{number} webhooks"
    parts = [_described(webhook) for webhook in webhooks[:_LISTED]]
    if number > _LISTED:
        parts.append(f"And {number - _LISTED} more.\n")
    parts.append(
        "Enabling a webhook releases what is held. Each delivery is held for "
        f"{settings.PAVE_RETENTION_DAYS} days.\n"
    )
    to = recipients()
    connection = get_connection()
    try:
        with time_limit(MAIL_SECONDS):
            connection.open()
            send_mail(
                subject=f"{what} of client {client.client_id} disabled",
                message="\n".join([f"Client: {client}\n", *parts]),
                from_email=settings.DEFAULT_FROM_EMAIL,
                recipient_list=to,
                connection=connection,
            )
    finally:
        _close(connection)


def _close(connection: BaseEmailBackend) -> None:
    """Take leave of the mail server, which has the mail or not, whatever it says to that."""
    smtp = getattr(connection, "connection", None)
    try:
        with time_limit(CLOSE_SECONDS):
            connection.close()
    except (Exception, TimeUp):
        if smtp is not None:
            smtp.close()


def _described(webhook: Webhook) -> str:
    held = Delivery.objects.held().filter(webhook=webhook).count()
    return (
        f"{webhook.get_disabled_by_display()}.\n"
        f"Webhook:  {webhook.pk}\n"
        f"URL:      {webhook.url}\n"
        f"Disabled: {webhook.disabled_at:%Y-%m-%d %H:%M} UTC\n"
        f"Held:     {held} deliveries\n"
    )
