"""Writing down what came of attempts, and what happens next."""

import html
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from urllib.parse import quote, quote_plus

from django.conf import settings
from django.db import transaction

from pave.core.card_masking import masked_value
from pave.operations.monitoring.counters import Counter
from webhooks.delivery.claims import Claim
from webhooks.endpoints import health
from webhooks.http.outcome import Outcome
from webhooks.http.signing import mask_headers
from webhooks.models import Delivery, DeliveryAttempt, Webhook
from webhooks.policies.retry import next_delay

logger = logging.getLogger(__name__)

Status = Delivery.Status
Trigger = Delivery.Trigger
MASK = "***"
# What is shorter guards nothing, and may stand anywhere by chance.
_SHORTEST_SECRET = 6
_MOST_PARTS = 4
_PARTS = re.compile(r"[^\s=;,\"&:]+")
# In the place of an error class: it is not known what came of the attempt, by a fault of ours.
INTERRUPTED = "interrupted"

_CHANGED = (
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
class Sent:
    """A claim, the headers that Pave put on the message, and what came back."""

    claim: Claim
    headers: dict[str, str]
    outcome: Outcome


def record(sent: Sequence[Sent], *, now: datetime, worker: str) -> None:
    """Write the attempts and each delivery's next state, in a few statements for all.

    A delivery that is no longer this worker's, since its lease ended meanwhile, keeps the state
    that somebody else gave it; the attempt is on record all the same.
    """
    if not sent:
        return
    with transaction.atomic():
        # Webhooks are locked before deliveries here, as everywhere.
        health.update(
            [
                (one.claim.webhook_id, one.outcome)
                for one in sent
                if one.outcome.error != INTERRUPTED
            ],
            now=now,
        )
        ours = {
            delivery.pk: delivery
            for delivery in Delivery.objects.in_flight()
            .select_for_update(no_key=True)
            .order_by("id")
            .filter(pk__in=[one.claim.delivery_id for one in sent], claimed_by=worker)
        }
        mine = [
            (delivery, one)
            for one in sent
            if (delivery := ours.get(one.claim.delivery_id))
            and delivery.attempts == one.claim.number
        ]
        Delivery.objects.filter(
            pk__in=[delivery.pk for delivery, one in mine if one.outcome.ok]
        ).update(
            status=Status.SUCCEEDED,
            finished_at=now,
            next_attempt_at=None,
            resume_status="",
            resume_at=None,
            lease_expires_at=None,
            claimed_by="",
        )
        _settle_failures([(delivery, one) for delivery, one in mine if not one.outcome.ok], now)
        _write_attempts(sent)
        _tally(sent, [delivery for delivery, one in mine if not one.outcome.ok], now)
    for one in sent:
        _log(one)


def _tally(sent: Sequence[Sent], failures: Sequence[Delivery], now: datetime) -> None:
    """Count attempts, and the deliveries that ended with them: in all, and for each webhook."""
    counter = Counter(now)
    for one in sent:
        label, seconds = one.outcome.error or "ok", one.outcome.duration_ms / 1000
        subject = str(one.claim.webhook_id)
        counter.add("attempts", label)
        counter.observe("attempt_seconds", seconds)
        counter.add("webhook_attempts", label, subject=subject, total=seconds)
        counter.observe("webhook_seconds", seconds, subject=subject)
        if one.outcome.ok:
            counter.add("deliveries", Status.SUCCEEDED)
    for delivery in failures:
        if delivery.status == Status.FAILED:
            counter.add("deliveries", Status.FAILED)
            counter.add("webhook_deliveries", Status.FAILED, subject=str(delivery.webhook_id))
    counter.write()


def _write_attempts(sent: Sequence[Sent]) -> None:
    """Write a row for each attempt.

    One that was put back meanwhile has a row that says its outcome is not known; now it is.
    """
    DeliveryAttempt.objects.bulk_create(
        [_attempt(one) for one in sent],
        update_conflicts=True,
        unique_fields=["delivery", "number"],
        update_fields=[
            field.name
            for field in DeliveryAttempt._meta.concrete_fields
            if field.name not in ("id", "delivery", "number")
        ],
    )


def _attempt(sent: Sent) -> DeliveryAttempt:
    outcome = sent.outcome
    secrets = _secrets(sent.claim.headers)

    def masked(text: str) -> str:
        # An endpoint may give back what it was sent, as debug pages do.
        for secret in secrets:
            text = text.replace(secret, MASK)
        return masked_value(_without_cut_off(text, secrets))

    return DeliveryAttempt(
        delivery_id=sent.claim.delivery_id,
        number=sent.claim.number,
        trigger=sent.claim.trigger,
        url=sent.claim.url,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        resolved_address=outcome.resolved_address or "",
        status_code=outcome.status,
        error=outcome.error,
        detail=masked(outcome.detail)[:500],
        # Any header of the client's own may be a secret; which ones were sent is what counts.
        request_headers=dict.fromkeys(sent.claim.headers, MASK) | mask_headers(sent.headers),
        response_headers={name: masked(value) for name, value in outcome.response_headers.items()},
        response_head=masked(outcome.response_head),
        timings=outcome.timings,
    )


def _without_cut_off(text: str, secrets: Sequence[str]) -> str:
    """Mask the beginning of a secret at the end of what was kept of an answer."""
    for secret in secrets:
        at = text.find(secret[:_SHORTEST_SECRET], max(0, len(text) - len(secret)))
        while at >= 0:
            if secret.startswith(text[at:]):
                return text[:at] + MASK
            at = text.find(secret[:_SHORTEST_SECRET], at + 1)
    return text


def _secrets(headers: Mapping[str, str]) -> list[str]:
    """Return what may be secret in a webhook's own headers, as an answer may write it.

    Of `Bearer x` x too, and of `session=x; y="z"` x and z; the longest first. Of one header no more
    than ``_MOST_PARTS``, since an answer is searched for each.
    """
    parts = {
        part
        for value in headers.values()
        for part in (
            value.strip(),
            value.strip().partition(" ")[2],
            *nlargest(_MOST_PARTS, _PARTS.findall(value), key=len),
        )
        if len(part) >= _SHORTEST_SECRET
    }
    written = {
        form
        for part in parts
        for form in (part, json.dumps(part)[1:-1], html.escape(part), quote(part), quote_plus(part))
    }
    return sorted(written, key=len, reverse=True)


def _settle_failures(failures: Sequence[tuple[Delivery, Sent]], now: datetime) -> None:
    """Give each failed delivery its next attempt, or its end."""
    if not failures:
        return
    disabled = dict(
        Webhook.objects.filter(
            pk__in={delivery.webhook_id for delivery, _ in failures}, enabled=False
        ).values_list("pk", "disabled_by")
    )
    for delivery, one in failures:
        delivery.lease_expires_at = None
        delivery.claimed_by = ""
        aborted = health.ABORT in health.directives(one.outcome)
        if delivery.resume_status == Status.SUCCEEDED:
            _resume(delivery, now)  # whatever comes of a repeat, it has arrived
        elif aborted or delivery.trigger == Trigger.TEST:
            _fail(delivery, now)
        elif delivery.trigger == Trigger.MANUAL and delivery.resume_status:
            _resume(delivery, now)
        else:
            _reschedule(delivery, one.outcome, now)
        if delivery.status == Status.PENDING and delivery.webhook_id in disabled:
            delivery.status = Status.HELD
            delivery.held_by = disabled[delivery.webhook_id]
            delivery.next_attempt_at = None
    Delivery.objects.bulk_update([delivery for delivery, _ in failures], _CHANGED, batch_size=200)


def _fail(delivery: Delivery, now: datetime) -> None:
    delivery.status = Status.FAILED
    delivery.next_attempt_at = None
    delivery.resume_status = ""
    delivery.resume_at = None
    delivery.finished_at = now


def _resume(delivery: Delivery, now: datetime) -> None:
    """After an attempt by hand, go on as if there had been none."""
    delivery.status = delivery.resume_status
    delivery.next_attempt_at = None
    if delivery.status == Status.PENDING:
        delivery.next_attempt_at = max(delivery.resume_at or now, now)
        delivery.trigger = Trigger.AUTOMATIC
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


def _log(sent: Sent) -> None:
    logger.info(
        "delivery.%s delivery=%s webhook=%s event=%s subject=%s attempt=%s trigger=%s status=%s "
        "error=%s ms=%s",
        "succeeded" if sent.outcome.ok else "attempt_failed",
        sent.claim.delivery_id,
        sent.claim.webhook_id,
        sent.claim.event_id,
        sent.claim.subject_id,
        sent.claim.number,
        sent.claim.trigger,
        sent.outcome.status,
        sent.outcome.error or "-",
        sent.outcome.duration_ms,
    )
