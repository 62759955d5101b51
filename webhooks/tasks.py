"""Entry points for django-q2 and the supervisor."""

from webhooks import delivery, recovering, seats, telling, upkeep
from webhooks.bells import RECOVER, TELL_STAFF


def send() -> int:
    """Send what is due."""
    return delivery.send_due()


def help_send() -> int:
    """Send beside a sender that has too much to do."""
    return delivery.help_send()


def recover() -> None:
    """Go on with the recoveries that are not done."""
    with RECOVER.alone() as alone:
        if alone:
            recovering.advance_all()


def tell_staff() -> int:
    """Tell staff of webhooks that were disabled by no person."""
    TELL_STAFF.hear()
    return telling.tell_staff()


def sweep() -> None:
    """Put back what was lost, and ring for what is due."""
    upkeep.sweep()


def hand_back(worker: str) -> None:
    """Put back what a dead worker had claimed."""
    upkeep.hand_back(worker=worker)


def preload() -> None:
    """Lay out the seats that the workers share, before they are forked."""
    seats.lay_out()
