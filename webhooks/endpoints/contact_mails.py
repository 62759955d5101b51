"""Mails to a client's contact about changes of where its results go, or that they do not go."""

import time
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.text import Truncator

from pave.clients.models import Client
from webhooks.endpoints import mail
from webhooks.models import Webhook

# A client's contact gets a mail at once, and the next one after this at the earliest; a mail that
# could not be sent is tried again after this, too.
INTERVAL = timedelta(minutes=10)
# Changes of one webhook that are kept, and changes in a mail; of more, the first and the last.
_KEPT = 20
_IN_A_MAIL = 200
# Deleted webhooks that a mail lists, the oldest first.
_DELETED = 10
# Characters of a URL's path.
_PATH = 100
# The columns that ``add_change`` sets.
CHANGE_FIELDS = ("unnotified_changes", "contact_due_at")


def add_change(webhook: Webhook, what: str) -> None:
    """Add a change of a webhook to those of which its client's contact is notified, if it has one.

    Args:
        webhook: As it is under a lock; save its ``CHANGE_FIELDS``.
        what: What was changed, as a sentence.
    """
    if not webhook.client.contact_email:
        return
    now = timezone.now()
    lines = webhook.unnotified_changes.splitlines()
    if not lines or not lines[-1].endswith(f": {what}"):  # once, of what is done again and again
        lines.append(f"{now:%Y-%m-%d %H:%M} UTC: {what}")
    webhook.unnotified_changes = "\n".join(_ends(lines, _KEPT))
    # A mail that could not be sent is not tried sooner for it.
    webhook.contact_due_at = webhook.contact_due_at or now


def shown_url(url: str) -> str:
    """Return a URL as mails have it: its host and the beginning of its path."""
    parts = urlsplit(url)
    # A query may be a secret.
    rest = Truncator(parts.path).chars(_PATH) + ("?…" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}{rest}"


def _ends(lines: Sequence[str], most: int) -> Sequence[str]:
    """Return lines, of more than ``most`` the first and the last."""
    if len(lines) <= most:
        return lines
    half = most // 2
    return [*lines[:half], "… and others in between …", *lines[len(lines) - most + half + 1 :]]


def due() -> QuerySet[Webhook]:
    """Return webhooks with changes of which a contact is to be notified now."""
    now = timezone.now()
    # Of a client that was mailed to, or for which a mail is scheduled, the others wait, too.
    recent = Webhook.objects.filter(
        Q(contact_notified_at__gt=now - INTERVAL) | Q(contact_due_at__gt=now),
        client=OuterRef("client"),
    )
    return Webhook.objects.filter(
        ~Q(client__contact_email=""), ~Exists(recent), contact_due_at__lte=now
    )


def send_due(*, until: float) -> int:
    """Send a mail to each contact that is to be notified; return how many were sent.

    Args:
        until: When to leave the rest to the next sweep, in seconds of the monotonic clock.
    """
    sent = 0
    for client in Client.objects.filter(pk__in=due().values("client")):
        if mail.is_unavailable() or time.monotonic() > until:
            break
        webhooks, now = mail.claim(client, due(), field="contact_due_at", pause=INTERVAL)
        # Deleted ones beyond what a mail is about are only counted: those of this moment.
        others = Webhook.objects.filter(client=client, deleted_at__lte=now, contact_due_at__lte=now)
        counted = list(others.values_list("pk", flat=True))
        if webhooks and _send(client, webhooks, len(counted)):
            sent += 1
            Webhook.objects.filter(pk__in=counted).update(
                contact_due_at=None, unnotified_changes=""
            )
            mail.rows(webhooks).update(contact_notified_at=now)
            for webhook in webhooks:
                # Not one that has been changed meanwhile: the next mail has all of it.
                Webhook.objects.filter(
                    pk=webhook.pk, unnotified_changes=webhook.unnotified_changes
                ).update(contact_due_at=None, unnotified_changes="")
    return sent


def _state(webhook: Webhook) -> str:
    return "deleted" if webhook.deleted_at else f"now {shown_url(webhook.url)}"


def _send(client: Client, webhooks: Sequence[Webhook], others: int) -> bool:
    deleted = [webhook for webhook in webhooks if webhook.deleted_at]
    listed = [webhook for webhook in webhooks if not webhook.deleted_at] + deleted[:_DELETED]
    each = max(3, _IN_A_MAIL // len(listed))
    changes = [
        "\n".join(
            [
                f"Webhook {webhook.pk}, {_state(webhook)}:",
                *_ends(webhook.unnotified_changes.splitlines(), each),
                "",
            ]
        )
        for webhook in listed
    ]
    if more := max(0, len(deleted) - _DELETED) + others:
        changes.append(f"And {more} more were deleted.\n")
    return mail.send(
        subject=f"Webhooks of {client.client_id} were changed",
        message="\n".join(
            [
                f"Where Pave sends the results of client {client.client_id} was changed by an API",
                "key of yours, by our staff, or by what your endpoint answered.\n",
                *changes,
                "If none of you wanted this, and no endpoint of yours fails, revoke your API keys",
                "and tell us at once.\n",
            ]
        ),
        to=[client.contact_email],
        client=client.client_id,
    )
