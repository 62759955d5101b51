"""Telling staff that a webhook was disabled by no person."""

import logging

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.mail import send_mail
from django.utils import timezone

from webhooks.models import Delivery, Webhook

logger = logging.getLogger(__name__)

# After a mail that could not be sent, none is tried for so many seconds.
REST_SECONDS = 60
_RESTING = "webhooks:mail-is-away"


def tell_staff() -> int:
    """Send a mail for each webhook that staff are still to hear of; return how many were sent.

    A webhook is marked before its mail is sent, so that two workers do not send two, and the mark
    is taken back if the mail fails; then the next sweep tries again.
    """
    told = 0
    if cache.get(_RESTING):
        return told
    for webhook in Webhook.objects.untold().select_related("client"):
        mine = Webhook.objects.untold().filter(pk=webhook.pk)
        if not mine.update(staff_told_at=timezone.now()):
            continue
        try:
            _send(webhook)
        except Exception:
            logger.exception("webhook.staff_not_told webhook=%s", webhook.pk)
            Webhook.objects.filter(pk=webhook.pk).update(staff_told_at=None)
            cache.set(_RESTING, True, REST_SECONDS)
            break
        told += 1
    return told


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
