"""Mails to staff about webhooks that were disabled automatically."""

import logging

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.mail import send_mail
from django.utils import timezone

from webhooks.models import Delivery, Webhook

logger = logging.getLogger(__name__)

# After a mail that could not be sent, none is tried for this long.
RETRY_SECONDS = 60
_MAIL_UNAVAILABLE = "webhooks:mail-unavailable"


def send_alerts() -> int:
    """Send a mail for each webhook awaiting an alert; return how many were sent.

    A webhook is marked before its mail is sent, so that two workers do not send two, and unmarked
    if the mail fails; then a later sweep tries again.
    """
    sent = 0
    if cache.get(_MAIL_UNAVAILABLE):
        return sent
    for webhook in Webhook.objects.awaiting_alert().select_related("client"):
        claimed = Webhook.objects.awaiting_alert().filter(pk=webhook.pk)
        if not claimed.update(staff_told_at=timezone.now()):
            continue
        try:
            _send(webhook)
        except Exception:
            logger.exception("webhook.staff_not_told", extra={"webhook": webhook.pk})
            Webhook.objects.filter(pk=webhook.pk).update(staff_told_at=None)
            cache.set(_MAIL_UNAVAILABLE, True, RETRY_SECONDS)
            break
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


def _send(webhook: Webhook) -> None:
    held = Delivery.objects.held().filter(webhook=webhook).count()
    send_mail(
        subject=f"Webhook of client {webhook.client.client_id} disabled",
        message=(
            f"{webhook.get_disabled_by_display()}.\n\n"
            f"Client:   {webhook.client}\n"
            f"Webhook:  {webhook.pk}\n"
            f"URL:      {webhook.url}\n"
            f"Disabled: {webhook.disabled_at:%Y-%m-%d %H:%M} UTC\n"
            f"Held:     {held} deliveries\n\n"
            "Nothing is lost: enabling the webhook releases what is held.\n"
        ),
        from_email=settings.DEFAULT_FROM_EMAIL,
        recipient_list=recipients(),
    )
