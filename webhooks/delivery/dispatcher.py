"""The engine: claim due deliveries, send many at once, record."""

import logging
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from pave.operations.cluster import shutdown
from pave.operations.cluster.db_retry import retry_while_unavailable
from pave.operations.cluster.wakeup import Wakeup
from pave.operations.cluster.work_loop import WorkLoop
from pave.operations.cluster.worker_names import worker_name
from webhooks.delivery import worker_slots
from webhooks.delivery.claims import Claim, Claimer
from webhooks.delivery.fair_share import Capacity, is_work_waiting
from webhooks.delivery.results import INTERRUPTED, Sent, record
from webhooks.endpoints import services
from webhooks.http.outcome import Outcome
from webhooks.http.signing import signed_headers
from webhooks.http.transport import Transport
from webhooks.policies.circuit_breaker import SLOW_MS
from webhooks.wakeups import HELP, SEND

logger = logging.getLogger(__name__)

# Messages under way at once from one process, each in a thread; threads start when needed.
THREADS = 512
# The parts of them that may be taken by webhooks that are slow or silent, and by these and new ones
# together; see webhooks/policies/circuit_breaker.py.
SUSPECT_PART = 0.25
UNPROVEN_PART = 0.5
# The part that one client's messages may take, to however many webhooks.
CLIENT_PART = 0.75
# How often the rows are looked at while a sender is awake, in seconds.
LOOK_EVERY = 0.02
# What comes back within this time is recorded together, up to so many.
GATHER_SECONDS = 0.01
GATHER_COUNT = 128
# A helper's loop is short, so that a cluster whose workers all send is soon of use again.
HELP_SECONDS = 5.0
HELP_EVERY = 1.0
# How long a sender waits for a database that is away, in seconds: with no more to lose than its
# turn, and with what came of messages in its hands. A sender that hangs is ended by its cluster.
CLAIM_RETRY_SECONDS = 5.0
RECORD_RETRY_SECONDS = 60.0


@dataclass(slots=True)
class _InFlight:
    webhook_id: UUID
    client_id: int
    begun: float
    steady: bool | None

    def is_late(self, now: float) -> bool:
        return now - self.begun > SLOW_MS / 1000


class Sender:
    """Sends due deliveries for a slice of time, as many at once as it has threads.

    It claims whenever there is room, and never waits for a slow endpoint before it goes on with
    the others. Only the thread that runs it uses the database, and no transaction is open while
    the network is waited for.

    Args:
        threads: how many messages can be under way at once.
        wakeup: what woke it.
    """

    def __init__(self, *, threads: int = THREADS, wakeup: Wakeup = SEND) -> None:
        self._threads = threads
        self._wakeup = wakeup
        self._worker = worker_name()
        self._claimer = Claimer(self._worker)
        self._in_flight: dict[UUID, _InFlight] = {}
        self._done: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        self._help_at = 0.0
        self._transport = Transport(
            policy=services.address_policy(), timeout=settings.PAVE_WEBHOOK_TIMEOUT
        )

    def run(self, *, seconds: float) -> int:
        """Send what is due for up to ``seconds``, and then wait for what is in flight.

        Returns:
            How many attempts were made.
        """
        made = 0
        loop = WorkLoop(self._wakeup, seconds=seconds)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="send") as pool:
            try:
                while loop.should_continue():
                    claimed = self._start(pool)
                    recorded = self._record()
                    made += recorded
                    if claimed or recorded or self._in_flight:
                        loop.touch()
                self._wakeup.mark_idle()
                self._wake_next(busy=loop.was_busy)
                made += self._wait_for_slow(pool)
            finally:
                # Also when the database was away for longer than this sender could wait.
                while self._in_flight:
                    made += self._record()
                self._transport.close()
        # What was full with this sender's own messages has room now.
        self._wake_next()
        return made

    def _start(self, pool: ThreadPoolExecutor, *, steady_only: bool = False) -> int:
        """Claim what is due, and begin to send it; return how many messages that is."""
        claims = retry_while_unavailable(
            lambda: self._claim(steady_only=steady_only), seconds=CLAIM_RETRY_SECONDS
        )
        for one in claims:
            pool.submit(self._send, one)
        return len(claims)

    def _wait_for_slow(self, pool: ThreadPoolExecutor) -> int:
        """Wait for what is in flight, and meanwhile send to the endpoints that answer promptly.

        Else all clients would wait for the slowest endpoint of one, whenever all senders are at the
        end of their time.
        """
        made = 0
        slow = set(self._in_flight)
        end = time.monotonic() + settings.PAVE_WEBHOOK_TIMEOUT
        while slow & self._in_flight.keys() and time.monotonic() < end and not shutdown.requested():
            self._start(pool, steady_only=True)
            made += self._record()
        return made

    def _claim(self, *, steady_only: bool = False) -> list[Claim]:
        free = self._threads - len(self._in_flight)
        if not free:
            self._ask_for_help()
            return []
        moment = time.monotonic()
        late = {one.webhook_id for one in self._in_flight.values() if one.is_late(moment)}
        left = self._capacity(1.0)
        most = self._capacity(CLIENT_PART)
        left_of: dict[int, Capacity] = {}
        for one in self._in_flight.values():
            steady = False if one.webhook_id in late else one.steady
            left = left.minus(steady)
            left_of[one.client_id] = left_of.get(one.client_id, most).minus(steady)
        if any(capacity.all < 1 for capacity in left_of.values()):
            self._ask_for_help()
        if steady_only:
            left = replace(left, unproven=min(left.unproven, 0), suspect=min(left.suspect, 0))
        claims = self._claimer.claim(
            now=timezone.now(),
            capacity=replace(left, all=free),
            late=late,
            capacity_of=lambda client_id: left_of.get(client_id, most),
        )
        for claimed in claims:
            self._in_flight[claimed.delivery_id] = _InFlight(
                claimed.webhook_id, claimed.client_id, moment, claimed.steady
            )
        return claims

    def _capacity(self, part: float) -> Capacity:
        """Return the capacity for a part of all messages that this sender can take."""
        threads = self._threads * part
        return Capacity(
            max(1, int(threads)),
            max(1, int(threads * UNPROVEN_PART)),
            max(1, int(threads * SUSPECT_PART)),
        )

    def _ask_for_help(self) -> None:
        """Have another sender woken: this one is full, or one client has all that it may."""
        now = time.monotonic()
        if now >= self._help_at:
            self._help_at = now + HELP_EVERY
            HELP.send()

    def _send(self, claimed: Claim) -> None:
        """Make one attempt; runs in a thread of its own, and whatever happens there is noted."""
        try:
            sent = attempt(self._transport, claimed)
        except Exception as error:
            logger.exception("delivery.not_sent delivery=%s", claimed.delivery_id)
            sent = Sent(claim=claimed, headers={}, outcome=_interrupted(error))
        self._done.put(sent)

    def _record(self) -> int:
        """Record what has come back, waiting for it for a moment."""
        sent: list[Sent] = []
        try:
            sent.append(self._done.get(timeout=LOOK_EVERY))
            gathered_at = time.monotonic() + GATHER_SECONDS
            while len(sent) < min(GATHER_COUNT, len(self._in_flight)):
                sent.append(self._done.get(timeout=max(0.0, gathered_at - time.monotonic())))
        except queue.Empty:
            pass
        # What was sent was sent: while the database is away, it is kept in mind.
        retry_while_unavailable(
            lambda: record(sent, now=timezone.now(), worker=self._worker),
            seconds=RECORD_RETRY_SECONDS,
        )
        for one in sent:
            del self._in_flight[one.claim.delivery_id]
        return len(sent)

    def _wake_next(self, *, busy: bool = False) -> None:
        """Wake another sender if there is work left, or likely."""
        if self._wakeup is SEND and (busy or is_work_waiting(timezone.now())):
            self._wakeup.send()


def attempt(transport: Transport, claimed: Claim) -> Sent:
    """Sign a message and post it once."""
    headers = signed_headers(
        secrets=claimed.secrets,
        message_id=str(claimed.event_id),
        timestamp=int(time.time()),
        body=claimed.body,
    )
    outcome = transport.post(claimed.url, body=claimed.body, headers={**claimed.headers, **headers})
    return Sent(claim=claimed, headers=headers, outcome=outcome)


def send_due() -> int:
    """Send due deliveries for a slice of time; return how many attempts were made."""
    with worker_slots.acquire() as acquired:
        return Sender().run(seconds=settings.PAVE_TASK_SLICE) if acquired else 0


def help_send() -> int:
    """Send beside another sender that has too much to do, for a short while."""
    with worker_slots.acquire() as acquired:
        return Sender(wakeup=HELP).run(seconds=HELP_SECONDS) if acquired else 0


def _interrupted(error: Exception) -> Outcome:
    """Return the outcome of an attempt that failed by a fault of ours."""
    return Outcome(
        ok=False,
        status=None,
        error=INTERRUPTED,
        detail=f"Pave could not send it: {type(error).__name__}.",
        started_at=datetime.now(UTC),
        duration_ms=0,
        resolved_address=None,
        response_headers={},
        response_head="",
        timings={},
    )
