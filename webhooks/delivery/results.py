"""Recording the results of attempts, and each delivery's next state."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from pave.core.database import lock_limit
from pave.core.database.bulk_update import update_each
from pave.operations.monitoring.counters import Counter
from webhooks.delivery.claims import Claim
from webhooks.endpoints import health
from webhooks.http.outcome import Outcome
from webhooks.http.signing import MASK, mask_headers
from webhooks.models import Delivery, DeliveryAttempt, Webhook
from webhooks.policies.retry import next_delay

logger = logging.getLogger(__name__)

Status = Delivery.Status
Trigger = Delivery.Trigger
# In place of an error class: the outcome is unknown, by an error of Pave's own.
INTERRUPTED = "interrupted"

_UPDATED_FIELDS = (
    "status",
    "held_by",
    "trigger",
    "step",
    "next_attempt_at",
    "resume_status",
    "resume_at",
    "lease_expires_at",
    "claimed_by",
    "finished_at",
)


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """A claim, the headers that Pave added to the message, and the outcome.

    Args:
        shown: The outcome without what may be secret, as it is kept.
    """

    claim: Claim
    headers: dict[str, str]
    outcome: Outcome
    shown: Outcome


def record(
    results: Sequence[AttemptResult],
    *,
    now: datetime,
    worker: str,
    lock_seconds: float | None = None,
) -> None:
    """Write the attempts and each delivery's next state, in a few statements for all.

    A delivery that is no longer this worker's, since its lease has ended, keeps the state that
    another gave it; the attempt is recorded all the same, unless the delivery has been removed.

    Raises:
        Locked: Somebody has locked one of the rows for longer than ``lock_seconds``; none is
            written.
    """
    if not results:
        return
    with lock_limit.atomic(lock_seconds=lock_seconds):
        # Webhooks are locked before deliveries, as everywhere, to avoid deadlocks.
        health.update(
            [
                health.Attempted(
                    result.claim.webhook_id,
                    result.claim.url,
                    result.outcome,
                    is_test=result.claim.is_test,
                )
                for result in results
                if result.outcome.error != INTERRUPTED
            ],
            now=now,
        )
        locked = {
            delivery.pk: delivery
            for delivery in Delivery.objects.select_for_update(no_key=True)
            .order_by("id")
            .filter(pk__in=[result.claim.delivery_id for result in results])
        }
        owned = [
            (delivery, result)
            for result in results
            if (delivery := locked.get(result.claim.delivery_id))
            and (delivery.status, delivery.claimed_by) == (Status.DELIVERING, worker)
            and delivery.attempts == result.claim.number
        ]
        failures = [(delivery, result) for delivery, result in owned if not result.outcome.ok]
        Delivery.objects.filter(
            pk__in=[delivery.pk for delivery, result in owned if result.outcome.ok]
        ).update(
            status=Status.SUCCEEDED,
            held_by="",
            finished_at=now,
            next_attempt_at=None,
            resume_status="",
            resume_at=None,
            lease_expires_at=None,
            claimed_by="",
        )
        _update_failures(failures, now)
        _write_attempts([result for result in results if result.claim.delivery_id in locked])
        _count(results, [delivery for delivery, _ in failures], now)
    for result in results:
        _log_result(result)


def _count(results: Sequence[AttemptResult], failures: Sequence[Delivery], now: datetime) -> None:
    """Count attempts, and the deliveries that are final with them: in all, and per webhook."""
    counter = Counter(now)
    for result in results:
        label, seconds = result.outcome.error or "ok", result.outcome.duration_ms / 1000
        subject = str(result.claim.webhook_id)
        counter.add("attempts", label)
        counter.observe("attempt_seconds", seconds)
        counter.add("webhook_attempts", label, subject=subject, total=seconds)
        counter.observe("webhook_seconds", seconds, subject=subject)
        if result.outcome.ok:
            counter.add("deliveries", Status.SUCCEEDED)
    for delivery in failures:
        if delivery.status == Status.FAILED:
            counter.add("deliveries", Status.FAILED)
            counter.add("webhook_deliveries", Status.FAILED, subject=str(delivery.webhook_id))
    counter.write()


def _write_attempts(results: Sequence[AttemptResult]) -> None:
    """Write a row for each attempt.

    One that was requeued meanwhile has a row that says its outcome is unknown; now it is known.
    """
    DeliveryAttempt.objects.bulk_create(
        [_attempt(result) for result in results],
        update_conflicts=True,
        unique_fields=["delivery", "number"],
        update_fields=[
            field.name
            for field in DeliveryAttempt._meta.concrete_fields
            if field.name not in ("id", "delivery", "number")
        ],
    )


def _attempt(result: AttemptResult) -> DeliveryAttempt:
    outcome = result.shown
    return DeliveryAttempt(
        delivery_id=result.claim.delivery_id,
        number=result.claim.number,
        trigger=result.claim.trigger,
        url=result.claim.url,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        resolved_address=outcome.resolved_address or "",
        status_code=outcome.status,
        error=outcome.error,
        detail=outcome.detail[:500],
        # The value of any custom header may be a secret; the names are evidence enough.
        request_headers=dict.fromkeys(result.claim.headers, MASK) | mask_headers(result.headers),
        response_headers=outcome.response_headers,
        response_head=outcome.response_head,
        timings=outcome.timings,
    )


def _update_failures(failures: Sequence[tuple[Delivery, AttemptResult]], now: datetime) -> None:
    """Schedule the next attempt of each failed delivery, or fail it for good."""
    if not failures:
        return
    disabled = dict(
        Webhook.objects.filter(
            pk__in={delivery.webhook_id for delivery, _ in failures}, enabled=False
        ).values_list("pk", "disabled_by")
    )
    for delivery, result in failures:
        delivery.lease_expires_at = None
        delivery.claimed_by = ""
        aborted = health.ABORT in health.directives(result.outcome)
        if delivery.resume_status == Status.SUCCEEDED:
            _resume(delivery, now)  # it was delivered before, so it stays succeeded
        elif aborted or result.claim.is_test:
            _fail(delivery, now)
        elif delivery.trigger == Trigger.MANUAL and delivery.resume_status:
            _resume(delivery, now)
        else:
            _reschedule(delivery, result.outcome, now)
        if delivery.status == Status.PENDING and delivery.webhook_id in disabled:
            delivery.status = Status.HELD
            delivery.held_by = disabled[delivery.webhook_id]
            delivery.next_attempt_at = None
    update_each([delivery for delivery, _ in failures], _UPDATED_FIELDS)


def _fail(delivery: Delivery, now: datetime) -> None:
    delivery.status = Status.FAILED
    delivery.held_by = ""
    delivery.next_attempt_at = None
    delivery.resume_status = ""
    delivery.resume_at = None
    delivery.finished_at = now


def _resume(delivery: Delivery, now: datetime) -> None:
    """After a manual attempt, go on with the state before it."""
    delivery.status = delivery.resume_status
    if delivery.status == Status.DELIVERING:  # retried by an earlier release while it was in flight
        delivery.status = Status.PENDING
    delivery.next_attempt_at = None
    if delivery.status == Status.PENDING:
        delivery.next_attempt_at = max(delivery.resume_at or now, now)
        delivery.trigger = Trigger.AUTOMATIC
    elif delivery.status != Status.HELD:
        delivery.finished_at = now
    delivery.resume_status = ""
    delivery.resume_at = None


def _reschedule(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    delivery.step += 1
    delay = next_delay(
        attempt=delivery.step,
        schedule=settings.PAVE_WEBHOOK_RETRY_SCHEDULE,
        retry_after=outcome.response_headers.get("retry-after"),
        now=now,
    )
    if delay is None:
        _fail(delivery, now)
        return
    delivery.status = Status.PENDING
    delivery.next_attempt_at = now + delay
    delivery.trigger = Trigger.AUTOMATIC


def _log_result(result: AttemptResult) -> None:
    logger.info(
        "delivery.succeeded" if result.outcome.ok else "delivery.attempt_failed",
        extra={
            "delivery": result.claim.delivery_id,
            "webhook": result.claim.webhook_id,
            "event_id": result.claim.event_id,
            "subject": result.claim.subject_id,
            "attempt": result.claim.number,
            "trigger": result.claim.trigger,
            "status": result.outcome.status,
            "error": result.outcome.error or "-",
            "ms": result.outcome.duration_ms,
        },
    )
