"""Mails to a client's contact about changes of where its results go, whoever made them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from pave.clients.models import Client
from pave.core.card_numbers.masking import masked
from pave.staff import audit
from pave.staff.models import AuditEntry
from webhooks.endpoints import mail
from webhooks.models import Webhook

# A client's contact gets a mail at once, and the next one after this at the earliest; a mail that
# could not be sent is tried again after this, too.
INTERVAL = timedelta(minutes=10)
# A mail describes what has been on record for this long, and so many changes of a webhook.
_SINCE = timedelta(days=1)
_LISTED = 10


def due() -> QuerySet[Webhook]:
    """Return webhooks with changes that a contact is to be told of now."""
    now = timezone.now()
    told = Webhook.objects.filter(client=OuterRef("client"), contact_told_at__gt=now - INTERVAL)
    return Webhook.objects.filter(
        ~Q(client__contact_email=""), ~Exists(told), contact_due_at__lte=now
    )


def send_due() -> int:
    """Send a mail to each contact that is to be told of something; return how many were sent."""
    sent = 0
    for client in Client.objects.filter(pk__in=due().values("client")):
        if mail.is_unavailable():
            break
        webhooks, now = mail.claim(client, due(), field="contact_due_at", pause=INTERVAL)
        changes = [text for webhook in webhooks if (text := _described(webhook, now))]
        if changes and not _send(client, changes):
            continue
        claimed = mail.rows(webhooks)
        # What has changed meanwhile is due again, and stays so.
        claimed.filter(contact_due_at=now + INTERVAL).update(contact_due_at=None)
        if changes:
            claimed.update(contact_told_at=now)
            sent += 1
    return sent


def _described(webhook: Webhook, now: datetime) -> str:
    """Return what was done to a webhook since its contact was told last; "" if nothing is known."""
    since = max(now - _SINCE, webhook.contact_told_at or now - _SINCE)
    lines = [_line(entry) for entry in audit.of_object(webhook).filter(at__gt=since)[:_LISTED]]
    if not lines:
        return ""
    state = "deleted" if webhook.deleted_at else webhook.url
    return "\n".join([f"Webhook {webhook.pk} ({state})", *lines, ""])


def _line(entry: AuditEntry) -> str:
    who = "an API key of yours" if audit.is_by_client(entry) else "our staff"
    url = entry.changes.get("url", ["", ""])
    changed = f": {url[0]} -> {url[1]}" if any(url) else ""
    return f"  {entry.at:%Y-%m-%d %H:%M} UTC, by {who}: {entry.action}{changed}"


def _send(client: Client, changes: Sequence[str]) -> bool:
    return mail.send(
        subject=f"Webhooks of {client.client_id} were changed",
        message=masked(
            "\n".join(
                [
                    f"Where Pave sends the results of client {client.client_id} was changed.\n",
                    *changes,
                    "If none of you did this, revoke your API keys and tell us at once.\n",
                ]
            )
        ),
        to=[client.contact_email],
        client=client.client_id,
    )
