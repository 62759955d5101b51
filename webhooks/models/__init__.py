"""How events reach a client's URLs: webhook, event, delivery, attempt."""

from webhooks.models.delivery import (
    ATTEMPTS_SHOWN,
    Delivery,
    DeliveryAttempt,
    DeliveryQuerySet,
)
from webhooks.models.event import Event
from webhooks.models.recovery import Recovery, RecoveryQuerySet
from webhooks.models.webhook import SigningSecret, Webhook, WebhookQuerySet

__all__ = [
    "ATTEMPTS_SHOWN",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryQuerySet",
    "Event",
    "Recovery",
    "RecoveryQuerySet",
    "SigningSecret",
    "Webhook",
    "WebhookQuerySet",
]
