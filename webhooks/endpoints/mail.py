"""Mails about webhooks, by a server that may be silent, slow or away.

What to tell is marked on the webhooks, so nothing is lost with a worker. Before an attempt the next
one is scheduled, so that two workers do not send two mails, and a worker that dies meanwhile is
followed by another. A mail may come twice, if it dies just then.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused

from django.conf import settings
from django.core.mail import get_connection, send_mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from pave.clients.models import Client
from pave.core.caching.cached_lookup import read_cached, write_cached
from pave.core.time_limit import TimeUp, time_limit
from webhooks.models import Webhook

logger = logging.getLogger(__name__)

# After a mail that could not be sent, none is tried for this long.
RETRY_SECONDS = 60
# How long a mail may take, in seconds, whatever its server says meanwhile.
MAIL_SECONDS = 8.0
CLOSE_SECONDS = 1.0
# About which one mail is: all that a client may have, and some that it had.
MOST_WEBHOOKS = 200
_UNAVAILABLE = "webhooks:mail-unavailable"
# The same for this process, if the cache is away, too; in seconds of the monotonic clock.
_unavailable_until = 0.0


def is_unavailable() -> bool:
    """Return whether none is tried now: there is no server, or it took no mail a moment ago."""
    if not settings.PAVE_SENDS_MAIL or time.monotonic() < _unavailable_until:
        return True
    return bool(read_cached(_UNAVAILABLE, bool, seconds=RETRY_SECONDS))


@transaction.atomic
def claim(
    client: Client, due: QuerySet[Webhook], *, field: str, pause: timedelta
) -> tuple[list[Webhook], datetime]:
    """Schedule the next attempt to tell of a client's webhooks.

    Args:
        client: Whose they are; it is read again.
        due: Those to tell of.
        field: Their field with the time of the next attempt.
        pause: Until then.

    Returns:
        Those for this attempt, ``MOST_WEBHOOKS`` at most, and as of when; none while another worker
        claims some.
    """
    clients = Client.objects.select_for_update(skip_locked=True, no_key=True)
    if not clients.filter(pk=client.pk).exists():
        return [], timezone.now()
    client.refresh_from_db()
    unlocked = due.filter(client=client).select_for_update(
        skip_locked=True, no_key=True, of=("self",)
    )
    # Those that it has first, then those that it had.
    in_order = unlocked.order_by(F("deleted_at").asc(nulls_first=True), "id")
    webhooks = list(in_order[:MOST_WEBHOOKS])
    now = timezone.now()
    rows(webhooks).update(**{field: now + pause})
    return webhooks, now


def rows(webhooks: Sequence[Webhook]) -> QuerySet[Webhook]:
    """Return the rows of webhooks that were read."""
    return Webhook.objects.filter(pk__in=[webhook.pk for webhook in webhooks])


def send(*, subject: str, message: str, to: Sequence[str], client: str) -> bool:
    """Send a mail; return whether its server has taken it.

    Args:
        subject: One line.
        message: Plain text.
        to: Addresses.
        client: Whom it is about, for the log.
    """
    global _unavailable_until
    connection = get_connection()
    try:
        with time_limit(MAIL_SECONDS):
            connection.open()
            send_mail(subject, message, settings.DEFAULT_FROM_EMAIL, to, connection=connection)
    except (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError):  # this mail, not others
        logger.warning("mail.refused", extra={"client": client, "subject": subject})
        return False
    except (Exception, TimeUp):
        logger.exception("mail.not_sent", extra={"client": client, "subject": subject})
        _unavailable_until = time.monotonic() + RETRY_SECONDS
        write_cached(_UNAVAILABLE, True, seconds=RETRY_SECONDS)
        return False
    finally:
        _close(connection)
    return True


def _close(connection: BaseEmailBackend) -> None:
    """Take leave of the mail server, which has the mail or not, whatever it says to that."""
    smtp = getattr(connection, "connection", None)
    try:
        with time_limit(CLOSE_SECONDS):
            connection.close()
    except (Exception, TimeUp):
        if smtp is not None:
            smtp.close()
