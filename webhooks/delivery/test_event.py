"""The test event: one message, sent at once while the caller waits."""

from contextlib import closing
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from pave.core.concurrency import ConcurrencyLimit
from pave.core.ids import new_id
from pave.operations.cluster.worker_names import worker_name
from webhooks.delivery import claims
from webhooks.delivery.dispatcher import attempt
from webhooks.delivery.results import record
from webhooks.endpoints import services
from webhooks.event_types import TEST
from webhooks.http.transport import Transport
from webhooks.models import Delivery, Event, Webhook
from webhooks.publishing import Occurrence, message_body

# What a web process sends while its caller waits, checks of endpoints among it, holds a thread.
INLINE = ConcurrencyLimit(
    limit=3,
    busy="Another test or check of yours is in progress; wait for its answer.",
    full="Too many tests and checks are in progress. Try again in a moment.",
)
NOTE = "This is a test. Nothing has happened, and no action is needed."


def send_test(*, webhook: Webhook) -> Delivery:
    """Send a ``webhook.test`` to a webhook, enabled or not, and return its delivery.

    It is a delivery like any other, with one attempt. If this process dies meanwhile the sweep
    fails it.

    Raises:
        Deleted: The webhook has been deleted.
    """
    worker = worker_name()
    occurrence = Occurrence(
        client_pk=webhook.client_id,
        type=TEST,
        subject_id=webhook.pk,
        data={"webhook": str(webhook.pk), "note": NOTE},
    )
    with transaction.atomic():
        # As it is under the lock, not as it was read.
        if (locked := services.lock_existing(webhook)) is None:
            raise services.Deleted
        now = timezone.now()
        event = Event.objects.create(
            id=new_id(),
            client_id=webhook.client_id,
            type=TEST,
            subject_id=webhook.pk,
            body=message_body(occurrence, now),
            created_at=now,
        )
        delivery = Delivery.objects.create(
            event=event,
            webhook=locked,
            status=Delivery.Status.DELIVERING,
            trigger=Delivery.Trigger.TEST,
            attempts=1,
            lease_expires_at=now + timedelta(seconds=settings.PAVE_DELIVERY_LEASE),
            claimed_by=worker,
            created_at=now,
        )
    claim = claims.claim_for(delivery, now=now)
    transport = Transport(policy=services.address_policy(), timeout=settings.PAVE_WEBHOOK_TIMEOUT)
    with closing(transport):
        result = attempt(transport, claim)
    record([result], now=timezone.now(), worker=worker)
    delivery.refresh_from_db()
    return delivery
