"""Entry points for django-q2 and the supervisor."""

from webhooks.delivery import dispatcher, recovery
from webhooks.endpoints import staff_alerts
from webhooks.wakeups import ALERT_STAFF, RECOVER


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
    """Alert staff about webhooks that were disabled automatically."""
    with ALERT_STAFF.exclusive() as exclusive:
        return staff_alerts.send_alerts() if exclusive else 0
