"""Entry points for django-q2 and the supervisor."""

from webhooks import delivery


def send() -> int:
    """Send what is due."""
    return delivery.send_due()


def sweep() -> None:
    """Put back what was lost, and ring for what is due."""
    delivery.sweep()


def hand_back(worker: str) -> None:
    """Put back what a dead worker had claimed."""
    delivery.hand_back(worker=worker)


def preload() -> None:
    """Nothing beyond what importing this module has loaded."""
