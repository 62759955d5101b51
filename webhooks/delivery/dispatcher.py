"""The engine: claim due deliveries, send many at once, record."""

import logging
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from pave.core import clock
from pave.core.database import lock_limit
from pave.operations.cluster import shutdown
from pave.operations.cluster.db_retry import retry_while_unavailable
from pave.operations.cluster.wakeup import Wakeup
from pave.operations.cluster.work_loop import WorkLoop, listening
from pave.operations.cluster.worker_names import worker_name
from pave.operations.cluster.worker_slots import WorkerSlots
from webhooks.delivery.claims import Claim, Claimer
from webhooks.delivery.fair_share import Capacity, has_due_work
from webhooks.delivery.masking import without_secrets
from webhooks.delivery.results import INTERRUPTED, AttemptResult, record
from webhooks.endpoints import services
from webhooks.http.outcome import Outcome
from webhooks.http.signing import signed_headers
from webhooks.http.transport import Transport
from webhooks.policies.circuit_breaker import SLOW_MS
from webhooks.wakeups import HELP, SEND

logger = logging.getLogger(__name__)

# Messages in flight at once from one process, each in a thread; threads start when needed.
THREADS = 512
# The share of them for webhooks that are slow or unresponsive, and for these and new ones together;
# see webhooks/policies/circuit_breaker.py.
SUSPECT_SHARE = 0.25
UNPROVEN_SHARE = 0.5
# How many go to new and suspect webhooks while a dispatcher waits for slow ones at its end.
FEW = 8
# The share for one client's messages, to however many webhooks.
CLIENT_SHARE = 0.75
# How often a dispatcher polls the rows while messages are in flight, in seconds.
POLL_SECONDS = 0.02
# Results that come within this time are recorded together, up to this many.
BATCH_SECONDS = 0.01
BATCH_SIZE = 128
# Keep helpers short so that other tasks get a worker.
HELP_SECONDS = 5.0
HELP_INTERVAL = 1.0
# How long to retry while the database is unavailable, in seconds: a claim can be dropped, results
# of attempts are kept longer. A dispatcher that hangs is killed by its cluster.
CLAIM_RETRY_SECONDS = 5.0
RECORD_RETRY_SECONDS = 60.0
# How much longer than PAVE_WEBHOOK_TIMEOUT a dispatcher waits at its end for what is in flight.
LAST_SECONDS = 5.0
# How long to wait for a webhook's row that is locked, in seconds, and then as often, but shorter.
LOCK_SECONDS = 1.0
RETRY_LOCK_SECONDS = 0.05

SLOTS = WorkerSlots()


@dataclass(slots=True)
class _InFlight:
    webhook_id: UUID
    client_id: int
    started_at: float
    steady: bool | None

    def is_slow(self, now: float) -> bool:
        return now - self.started_at > SLOW_MS / 1000


class Dispatcher:
    """Sends due deliveries for a slice of time, as many at once as it has threads.

    It claims whenever it has capacity, and never waits for a slow endpoint before it goes on with
    the others. Only the thread that runs it uses the database, and no transaction is open while
    the network is waited for.

    Args:
        threads: how many messages can be in flight at once.
        wakeup: what started it.
    """

    def __init__(self, *, threads: int = THREADS, wakeup: Wakeup = SEND) -> None:
        self._threads = threads
        self._wakeup = wakeup
        self._worker = worker_name()
        self._claimer = Claimer(self._worker)
        self._in_flight: dict[UUID, _InFlight] = {}
        self._results: queue.SimpleQueue[AttemptResult] = queue.SimpleQueue()
        # By webhook: what cannot be recorded yet, since somebody keeps its row locked.
        self._locked: dict[UUID, list[AttemptResult]] = {}
        self._retry_locked_at = 0.0
        self._next_help_at = 0.0
        self._transport = Transport(
            policy=services.address_policy(), timeout=settings.PAVE_WEBHOOK_TIMEOUT
        )

    def run(self, *, seconds: float) -> int:
        """Send what is due for up to ``seconds``, and then wait for what is in flight.

        Returns:
            How many attempts were made.
        """
        attempts = 0
        loop = WorkLoop(self._wakeup, seconds=seconds)
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="send")
        try:
            pool.submit(time.monotonic)
        except RuntimeError as error:
            # Before anything is claimed. The worker ends, and is replaced.
            raise SystemExit(f"no thread for messages: {error}") from error
        try:
            while loop.should_continue():
                self._claim_and_submit(pool)
                if self._in_flight:
                    attempts += self._record()
                    loop.touch()
                else:
                    loop.pause(SEND)
            self._wakeup.mark_idle()
            self._wake_next(busy=loop.was_busy)
            for not_suspect in (False, True):
                attempts += self._wait_for_slow(pool, not_suspect=not_suspect)
        finally:
            # Also when the database was unavailable for too long, and when it still is.
            try:
                attempts += self._record_last()
            finally:
                pool.shutdown(wait=not self._in_flight, cancel_futures=True)
                self._transport.close()
        # Webhooks that were at their limit with this dispatcher's messages have capacity now.
        self._wake_next()
        return attempts

    def _claim_and_submit(
        self,
        pool: ThreadPoolExecutor,
        *,
        few_since: float | None = None,
        not_suspect: bool = False,
    ) -> int:
        """Claim what is due and start sending it; return how many messages.

        Args:
            pool: Whose threads send.
            few_since: Have no more than ``FEW`` in flight to new and suspect webhooks of those that
                were claimed since this moment of the monotonic clock.
            not_suspect: None to suspect ones.
        """
        claims = retry_while_unavailable(
            lambda: self._claim(few_since, not_suspect), seconds=CLAIM_RETRY_SECONDS
        )
        for claim in claims:
            # It is queued first: where the machine has no thread left, those of the pool send it.
            with suppress(RuntimeError):
                pool.submit(self._send, claim)
        return len(claims)

    def _wait_for_slow(self, pool: ThreadPoolExecutor, *, not_suspect: bool) -> int:
        """Wait for what is in flight, and meanwhile go on with the others.

        Otherwise all clients would wait for the slowest endpoint whenever all dispatchers end their
        slices.

        Args:
            pool: Whose threads send.
            not_suspect: Go on with endpoints that respond promptly, and with a few new ones; else
                also with a few that are suspect. In this order the dispatcher ends soon after.
        """
        attempts = 0
        slow = set(self._in_flight)
        begun = time.monotonic()
        end = begun + settings.PAVE_WEBHOOK_TIMEOUT
        while slow & self._in_flight.keys() and time.monotonic() < end and not shutdown.requested():
            self._claim_and_submit(pool, few_since=begun, not_suspect=not_suspect)
            attempts += self._record()
        return attempts

    def _claim(self, few_since: float | None = None, not_suspect: bool = False) -> list[Claim]:
        free = self._threads - len(self._in_flight)
        if not free:
            self._request_help()
            return []
        now = time.monotonic()
        slow = {message.webhook_id for message in self._in_flight.values() if message.is_slow(now)}
        client_limit = self._capacity(CLIENT_SHARE)
        remaining_of: dict[int, Capacity] = {}
        for message in self._in_flight.values():
            steady = False if message.webhook_id in slow else message.steady
            of_client = remaining_of.get(message.client_id, client_limit)
            remaining_of[message.client_id] = of_client.minus(steady)
        # If one client's steady endpoints begin to hang and exceed its share, this does not reduce
        # the capacity for other clients' new and slow endpoints.
        remaining = self._capacity(1.0)
        for of_client in remaining_of.values():
            remaining = replace(
                remaining,
                unproven=remaining.unproven - client_limit.unproven + max(of_client.unproven, 0),
                suspect=remaining.suspect - client_limit.suspect + max(of_client.suspect, 0),
            )
        if any(capacity.all < 1 for capacity in remaining_of.values()):
            self._request_help()
        if few_since is not None:
            new = [
                message
                for message in self._in_flight.values()
                if message.started_at >= few_since and not message.steady
            ]
            few = FEW - len(new)
            remaining = replace(
                remaining,
                unproven=min(remaining.unproven, few),
                suspect=min(remaining.suspect, 0 if not_suspect else few),
            )
        claims = self._claimer.claim(
            now=timezone.now(),
            capacity=replace(remaining, all=free),
            slow=slow,
            capacity_of=lambda client_id: remaining_of.get(client_id, client_limit),
        )
        for claim in claims:
            self._in_flight[claim.delivery_id] = _InFlight(
                claim.webhook_id, claim.client_id, now, claim.steady
            )
        return claims

    def _capacity(self, share: float) -> Capacity:
        """Return the capacity of a share of this dispatcher's threads."""
        threads = self._threads * share
        return Capacity(
            max(1, int(threads)),
            max(1, int(threads * UNPROVEN_SHARE)),
            max(1, int(threads * SUSPECT_SHARE)),
        )

    def _request_help(self) -> None:
        """Wake another dispatcher: this one is full, or one client is at its limit."""
        now = time.monotonic()
        if now >= self._next_help_at:
            self._next_help_at = now + HELP_INTERVAL
            HELP.send()

    def _send(self, claim: Claim) -> None:
        """Make one attempt; runs in a thread of its own, and always puts a result."""
        self._results.put(attempt(self._transport, claim))

    def _record(self) -> int:
        """Record the results that have come, waiting a moment for them."""
        results: list[AttemptResult] = []
        try:
            results.append(self._results.get(timeout=POLL_SECONDS))
            batch_ends_at = time.monotonic() + BATCH_SECONDS
            while len(results) < min(BATCH_SIZE, len(self._in_flight)):
                results.append(
                    self._results.get(timeout=max(0.0, batch_ends_at - time.monotonic()))
                )
        except queue.Empty:
            pass
        free: list[AttemptResult] = []
        for result in results:
            self._locked.get(result.claim.webhook_id, free).append(result)
        recorded = self._store(free, LOCK_SECONDS)
        if self._locked and time.monotonic() >= self._retry_locked_at:
            recorded += self._store_locked()
            self._retry_locked_at = time.monotonic() + LOCK_SECONDS
        return recorded

    def _store_locked(self) -> int:
        """Record results whose rows were locked, where they are no more."""
        again = [*chain.from_iterable(self._locked.values())]
        self._locked.clear()
        return self._store(again, RETRY_LOCK_SECONDS)

    def _count_unanswered(self) -> int:
        return len(self._in_flight) - sum(map(len, self._locked.values()))

    def _record_last(self) -> int:
        """Record what is still in flight.

        What does not end in its time, or cannot be recorded since its webhook's row stays locked,
        is given up: its lease ends, and it is sent again.
        """
        recorded = 0
        end = time.monotonic() + settings.PAVE_WEBHOOK_TIMEOUT + LAST_SECONDS
        while self._count_unanswered() and time.monotonic() < end:
            recorded += self._record()
        recorded += self._store_locked()
        if self._in_flight:
            logger.warning("delivery.given_up", extra={"deliveries": len(self._in_flight)})
        return recorded

    def _store(self, results: list[AttemptResult], lock_seconds: float) -> int:
        """Record results, and keep those whose rows others have locked; return how many it were."""
        left: list[AttemptResult] = []
        try:
            left = self._record_unlocked(results, lock_seconds)
        finally:
            # After an error they are given up: their leases end, and they are sent again.
            kept = {result.claim.delivery_id for result in left}
            for result in results:
                if result.claim.delivery_id not in kept:
                    del self._in_flight[result.claim.delivery_id]
        for result in left:
            self._locked.setdefault(result.claim.webhook_id, []).append(result)
        return len(results) - len(left)

    def _record_unlocked(
        self, results: list[AttemptResult], lock_seconds: float
    ) -> list[AttemptResult]:
        """Record the results of webhooks whose rows are free; return the others.

        A transaction that somebody forgot to end must not keep back all other clients' messages.
        """
        try:
            # The messages are sent: their results are kept while the database is unavailable.
            retry_while_unavailable(
                lambda: record(
                    results, now=timezone.now(), worker=self._worker, lock_seconds=lock_seconds
                ),
                seconds=RECORD_RETRY_SECONDS,
            )
        except lock_limit.Locked:
            by_webhook: dict[UUID, list[AttemptResult]] = {}
            for result in results:
                by_webhook.setdefault(result.claim.webhook_id, []).append(result)
            if len(by_webhook) == 1:
                return results
            return [
                result
                for of_one in by_webhook.values()
                for result in self._record_unlocked(of_one, RETRY_LOCK_SECONDS)
            ]
        return []

    def _wake_next(self, *, busy: bool = False) -> None:
        """Wake another dispatcher if work is left, or likely."""
        if self._wakeup is SEND and (busy or has_due_work(timezone.now())):
            self._wakeup.send()


def attempt(transport: Transport, claim: Claim) -> AttemptResult:
    """Sign a message and post it once. Never raises: an error of ours is the outcome."""
    started_at = timezone.now()
    try:
        headers = signed_headers(
            secrets=claim.secrets,
            message_id=str(claim.event_id),
            timestamp=int(clock.timestamp()),
            body=claim.body,
        )
        outcome = transport.post(claim.url, body=claim.body, headers={**claim.headers, **headers})
    except Exception as error:
        logger.exception("delivery.not_sent", extra={"delivery": claim.delivery_id})
        headers, outcome = {}, interrupted(error)
    # By the clock that all senders share: one's outcomes are compared with another's.
    outcome = replace(outcome, started_at=started_at)
    shown = without_secrets(outcome, claim.headers)
    return AttemptResult(claim=claim, headers=headers, outcome=outcome, shown=shown)


def send_due() -> int:
    """Send due deliveries for a slice of time; return how many attempts were made."""
    with SLOTS.acquire() as acquired, listening():
        return Dispatcher().run(seconds=settings.PAVE_TASK_SLICE) if acquired else 0


def help_send() -> int:
    """Help another dispatcher that has too much to do, for a short slice."""
    with SLOTS.acquire() as acquired, listening():
        return Dispatcher(wakeup=HELP).run(seconds=HELP_SECONDS) if acquired else 0


def interrupted(error: Exception) -> Outcome:
    """Return the outcome of an attempt that failed by an error of Pave's own."""
    return Outcome(
        ok=False,
        status=None,
        error=INTERRUPTED,
        detail=f"Pave could not send it: {type(error).__name__}.",
        started_at=timezone.now(),
        duration_ms=0,
        resolved_address=None,
        response_headers={},
        response_head="",
        timings={},
    )
