"""Entry points for django-q2 and the supervisor."""

from webhooks.delivery import dispatcher, recovery
from webhooks.endpoints import contact_mails, staff_alerts
from webhooks.wakeups import RECOVER, SEND_MAILS


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
    """Alert staff about webhooks that were disabled automatically, and tell clients of changes."""
    with SEND_MAILS.exclusive() as exclusive:
        return staff_alerts.send_alerts() + contact_mails.send_due() if exclusive else 0
