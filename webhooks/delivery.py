"""The engine: claim due deliveries, send many at once, record, and put back what was lost."""

import logging
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from pave.operations.identity import worker_name
from pave.operations.shift import Shift
from webhooks import endpoints
from webhooks.bells import SEND
from webhooks.claiming import Claim, claim
from webhooks.models import Delivery, DeliveryAttempt
from webhooks.recording import Sent, record
from webhooks.signing import signed_headers
from webhooks.transport import Transport

logger = logging.getLogger(__name__)

# Messages under way at once from one process, each in a thread: 512 threads take 84 MB here.
THREADS = 256
# How often the rows are looked at while a sender is awake, in seconds.
LOOK_EVERY = 0.05
# Stale deliveries put back in one sweep.
SWEEP_BATCH = 500


class Sender:
    """Sends due deliveries for a slice of time, as many at once as it has threads.

    It claims whenever there is room, and never waits for a slow endpoint before it goes on with
    the others. Only the thread that runs it uses the database, and no transaction is open while
    the network is waited for.
    """

    def __init__(self, *, threads: int = THREADS) -> None:
        self._threads = threads
        self._worker = worker_name()
        self._under_way = 0
        self._done: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        self._transport = Transport(
            policy=endpoints.address_policy(), timeout=settings.PAVE_WEBHOOK_TIMEOUT
        )

    def run(self, *, seconds: float) -> int:
        """Send what is due for up to ``seconds``, and then wait for what is under way.

        Returns:
            How many attempts were made.
        """
        made = 0
        shift = Shift(SEND, seconds=seconds)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="send") as pool:
            try:
                while shift.goes_on():
                    claims = self._claim()
                    for one in claims:
                        pool.submit(self._send, one)
                    self._under_way += len(claims)
                    recorded = self._record()
                    made += recorded
                    if claims or recorded or self._under_way:
                        shift.worked()
                self._hand_over()
                while self._under_way:
                    made += self._record()
            finally:
                self._transport.close()
        return made

    def _claim(self) -> list[Claim]:
        room = self._threads - self._under_way
        return claim(now=timezone.now(), slots=room, worker=self._worker) if room else []

    def _send(self, claimed: Claim) -> None:
        """Make one attempt; runs in a thread of its own."""
        headers = {
            **claimed.headers,
            **signed_headers(
                secrets=claimed.secrets,
                message_id=str(claimed.event_id),
                timestamp=int(time.time()),
                body=claimed.body,
            ),
        }
        outcome = self._transport.post(claimed.url, body=claimed.body, headers=headers)
        self._done.put(Sent(claim=claimed, headers=headers, outcome=outcome))

    def _record(self) -> int:
        """Record what has come back, waiting for it for a moment."""
        sent: list[Sent] = []
        try:
            sent.append(self._done.get(timeout=LOOK_EVERY))
            while True:
                sent.append(self._done.get_nowait())
        except queue.Empty:
            pass
        record(sent, now=timezone.now(), worker=self._worker)
        self._under_way -= len(sent)
        return len(sent)

    def _hand_over(self) -> None:
        """Go to sleep, and wake another sender if there is work left."""
        SEND.fall_asleep()
        if Delivery.objects.due(timezone.now()).exists():
            SEND.ring()


def send_due() -> int:
    """Send due deliveries for a slice of time; return how many attempts were made."""
    return Sender().run(seconds=settings.PAVE_TASK_SLICE)


def sweep(*, now: datetime | None = None) -> None:
    """Put back deliveries whose sender died, and wake a sender if any delivery is due."""
    now = now or timezone.now()
    _put_back(Delivery.objects.stale(now).order_by("lease_expires_at")[:SWEEP_BATCH], now)
    endpoints.settle_disabled(now=now)
    if Delivery.objects.due(now).exists():
        SEND.ring()


def hand_back(*, worker: str) -> None:
    """Put back what the dead ``worker``, or all workers of a dead cluster, had claimed."""
    _put_back(
        Delivery.objects.filter(status=Delivery.Status.DELIVERING, claimed_by__startswith=worker),
        timezone.now(),
    )


def _put_back(lost: QuerySet[Delivery], now: datetime) -> None:
    """Make deliveries due again at once, with a row for each attempt whose outcome is unknown.

    The endpoint may have taken the message; the repeat bears the same ``webhook-id``.
    """
    with transaction.atomic():
        deliveries = list(
            lost.select_related("webhook").select_for_update(skip_locked=True, of=("self",))
        )
        if not deliveries:
            return
        DeliveryAttempt.objects.bulk_create(
            [
                DeliveryAttempt(
                    delivery=delivery,
                    number=delivery.attempts,
                    url=delivery.webhook.url,
                    started_at=now,
                    error="interrupted",
                    detail="The sender ended before it could record what came of this attempt.",
                )
                for delivery in deliveries
            ],
            ignore_conflicts=True,
        )
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries]).update(
            status=Delivery.Status.PENDING,
            next_attempt_at=now,
            lease_expires_at=None,
            claimed_by="",
        )
    for delivery in deliveries:
        logger.warning(
            "delivery.put_back delivery=%s attempt=%s worker=%s",
            delivery.pk,
            delivery.attempts,
            delivery.claimed_by,
        )
