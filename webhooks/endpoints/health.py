"""Updates the health of webhooks, and disables those that are gone or have failed for days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Greatest, Least

from pave.core.database.bulk_update import update_each
from webhooks.endpoints import enabling
from webhooks.http.outcome import Outcome
from webhooks.models import Webhook
from webhooks.policies.circuit_breaker import SLOW_MS

GONE = 410
# With nothing but failure for so long, and messages that failed lately on so many days, a webhook
# is disabled. At most one quiet day is between two of the latter, so that three are within five.
FAILING_LIMIT = timedelta(days=5)
FAILING_DAYS = 3
_MOST_APART = timedelta(days=2)
# The response header for an endpoint's directives, and its values.
DIRECTIVE_HEADER = "webhook-delivery"
DISABLE = "disable"
ABORT = "abort-message"

_FULL_WINDOW = Greatest(F("max_in_flight"), 2)
_NOT_FULLY_HEALTHY = (
    Q(window__lt=_FULL_WINDOW)
    | Q(steady=None)
    | Q(steady=False)
    | Q(breaker_failures__gt=0)
    | ~Q(breaker_opened_at=None)
    | ~Q(failing_since=None)
)


@dataclass(frozen=True, slots=True)
class Attempted:
    """What an attempt says about a webhook's endpoint.

    Args:
        webhook_id: The webhook.
        url: Where the message was sent.
        outcome: What came of it.
        is_test: Whether it was a test event: its failure counts for the pace, not as a failing day.
    """

    webhook_id: UUID
    url: str
    outcome: Outcome
    is_test: bool = False


def update(attempts: Iterable[Attempted], *, now: datetime) -> None:
    """Update the health of webhooks after attempts; call it in the transaction that records them.

    While all are healthy this is one query and no write. An outcome at a URL that the webhook no
    longer has says nothing about its endpoint.

    Args:
        attempts: In any order.
        now: The present.
    """
    by_webhook: dict[UUID, list[Attempted]] = {}
    for attempt in attempts:
        by_webhook.setdefault(attempt.webhook_id, []).append(attempt)
    healthy = {pk for pk, attempted in by_webhook.items() if all(map(_is_healthy, attempted))}
    changing = Webhook.objects.filter(_NOT_FULLY_HEALTHY, pk__in=healthy) | Webhook.objects.filter(
        pk__in=by_webhook.keys() - healthy
    )
    # All in one statement, in pk order, to avoid deadlocks.
    locked = list(changing.select_for_update(no_key=True).order_by("pk"))
    of_endpoint = {
        webhook.pk: [attempt for attempt in by_webhook[webhook.pk] if attempt.url == webhook.url]
        for webhook in locked
    }
    _update_healthy(
        [
            pk
            for pk, attempted in of_endpoint.items()
            if attempted and all(map(_is_healthy, attempted))
        ]
    )
    _update_unhealthy(
        [webhook for webhook in locked if not all(map(_is_healthy, of_endpoint[webhook.pk]))],
        of_endpoint,
        now,
    )
    for pk, attempted in of_endpoint.items():
        if any(attempt.outcome.status == GONE for attempt in attempted):
            _disable(pk, Webhook.DisabledBy.GONE, now)
        elif any(DISABLE in directives(attempt.outcome) for attempt in attempted):
            _disable(pk, Webhook.DisabledBy.ASKED, now)


def _is_healthy(attempted: Attempted) -> bool:
    outcome = attempted.outcome
    return outcome.ok and outcome.duration_ms < SLOW_MS and DISABLE not in directives(outcome)


def directives(outcome: Outcome) -> frozenset[str]:
    """Return what the endpoint asked for in the ``webhook-delivery`` header of its answer."""
    value = outcome.response_headers.get(DIRECTIVE_HEADER, "")
    return frozenset(word.strip().lower() for word in value.split(","))


def _update_healthy(webhooks: Sequence[UUID]) -> None:
    """Update webhooks after prompt successes: ``EndpointHealth.after`` in one statement for all.

    Args:
        webhooks: Ids of locked webhooks.
    """
    if not webhooks:
        return
    locked = Webhook.objects.filter(pk__in=webhooks)
    # A pause that the breaker made is over; one that the endpoint asked for is not.
    locked.exclude(breaker_opened_at=None).update(paused_until=None)
    locked.update(
        window=Least(F("window") + 1, _FULL_WINDOW),
        steady=True,
        breaker_failures=0,
        breaker_failed_at=None,
        breaker_opened_at=None,
        failing_since=None,
    )


def _update_unhealthy(
    webhooks: Sequence[Webhook], by_webhook: Mapping[UUID, Sequence[Attempted]], now: datetime
) -> None:
    if not webhooks:
        return
    for webhook in webhooks:
        health = webhook.health
        for attempt in sorted(by_webhook[webhook.pk], key=_started_at):
            outcome = attempt.outcome
            health = health.after(outcome, max_in_flight=webhook.max_in_flight, now=now)
            if outcome.ok:
                webhook.failing_since = None
            elif not attempt.is_test:
                _count_failing_day(webhook, now)
        webhook.health = health
    update_each(webhooks, Webhook.HEALTH_FIELDS)
    for webhook in webhooks:
        if (
            webhook.failing_since is not None
            and webhook.failing_since <= now - FAILING_LIMIT
            and webhook.failing_days >= FAILING_DAYS
        ):
            _disable(webhook.pk, Webhook.DisabledBy.FAILING, now)


def _started_at(attempt: Attempted) -> datetime:
    return attempt.outcome.started_at


def _count_failing_day(webhook: Webhook, now: datetime) -> None:
    today = now.astimezone(UTC).date()
    if webhook.failing_since is None:
        webhook.failing_since, webhook.failing_days, webhook.failed_on = now, 0, None
    elif webhook.failed_on and today - webhook.failed_on > _MOST_APART:
        webhook.failing_days = 0
    if webhook.failed_on != today:
        webhook.failing_days = min(webhook.failing_days + 1, FAILING_DAYS)
        webhook.failed_on = today


def _disable(webhook_id: UUID, by: Webhook.DisabledBy, now: datetime) -> None:
    enabling.disable(webhook_id=webhook_id, by=by, now=now, hold_at_once=False)
