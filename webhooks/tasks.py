"""Entry points for django-q2 and the supervisor."""

import time

from webhooks.delivery import dispatcher, recovery
from webhooks.endpoints import contact_mails, staff_alerts
from webhooks.wakeups import RECOVER, SEND_MAILS

# How long mails may be sent at a stretch, in seconds, and one more.
MAILS_SECONDS = 6.0


def send() -> int:
    """Send what is due."""
    return dispatcher.send_due()


def help_send() -> int:
    """Help a dispatcher that has too much to do."""
    return dispatcher.help_send()


def recover() -> int:
    """Advance the running recoveries."""
    with RECOVER.exclusive() as exclusive:
        return recovery.advance_all() if exclusive else 0


def tell_staff() -> int:
    """Alert staff to webhooks that were disabled automatically, and notify clients of changes."""
    with SEND_MAILS.exclusive() as exclusive:
        if not exclusive:
            return 0
        # Half of the time for each, since recoveries and cancellations wait for it.
        begun = time.monotonic()
        sent = staff_alerts.send_alerts(until=begun + MAILS_SECONDS / 2)
        return sent + contact_mails.send_due(until=begun + MAILS_SECONDS)
