"""Updates the health of webhooks, and disables those that are gone or have failed for days."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Greatest, Least

from pave.core.bulk_update import update_each
from webhooks.endpoints import enabling
from webhooks.http.outcome import Outcome
from webhooks.models import Webhook
from webhooks.policies.circuit_breaker import SLOW_MS

GONE = 410
# With nothing but failure for so long, a webhook is disabled.
FAILING_LIMIT = timedelta(days=5)
# The response header for an endpoint's directives, and its values.
DIRECTIVE_HEADER = "webhook-delivery"
DISABLE = "disable"
ABORT = "abort-message"

_UPDATED_FIELDS = (*Webhook.HEALTH_FIELDS, "failing_since")
_FULL_WINDOW = Greatest(F("max_in_flight"), 2)
_NOT_FULLY_HEALTHY = (
    Q(window__lt=_FULL_WINDOW)
    | Q(steady=None)
    | Q(steady=False)
    | Q(breaker_failures__gt=0)
    | ~Q(breaker_opened_at=None)
    | ~Q(failing_since=None)
)


def update(outcomes: Iterable[tuple[UUID, str, Outcome]], *, now: datetime) -> None:
    """Update the health of webhooks after attempts; call it in the transaction that records them.

    While all are healthy this is one query and no write. An outcome at a URL that the webhook no
    longer has says nothing about its endpoint.

    Args:
        outcomes: Webhooks' ids, URLs and outcomes of attempts, in any order.
        now: The present.
    """
    by_webhook: dict[UUID, list[tuple[str, Outcome]]] = {}
    for pk, url, outcome in outcomes:
        by_webhook.setdefault(pk, []).append((url, outcome))
    healthy = {
        pk
        for pk, attempted in by_webhook.items()
        if all(_is_healthy(outcome) for _, outcome in attempted)
    }
    changing = Webhook.objects.filter(_NOT_FULLY_HEALTHY, pk__in=healthy) | Webhook.objects.filter(
        pk__in=by_webhook.keys() - healthy
    )
    # All in one statement, in pk order, to avoid deadlocks.
    locked = list(changing.select_for_update(no_key=True).order_by("pk"))
    of_endpoint = {
        webhook.pk: [outcome for url, outcome in by_webhook[webhook.pk] if url == webhook.url]
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
        if any(outcome.status == GONE for outcome in attempted):
            _disable(pk, Webhook.DisabledBy.GONE, now)
        elif any(DISABLE in directives(outcome) for outcome in attempted):
            _disable(pk, Webhook.DisabledBy.ASKED, now)


def _is_healthy(outcome: Outcome) -> bool:
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
    webhooks: Sequence[Webhook], by_webhook: Mapping[UUID, Sequence[Outcome]], now: datetime
) -> None:
    if not webhooks:
        return
    for webhook in webhooks:
        health = webhook.health
        for outcome in sorted(by_webhook[webhook.pk], key=lambda outcome: outcome.started_at):
            health = health.after(outcome, max_in_flight=webhook.max_in_flight, now=now)
            if outcome.ok:
                webhook.failing_since = None
            elif webhook.failing_since is None:
                webhook.failing_since = now
        webhook.health = health
    update_each(webhooks, _UPDATED_FIELDS)
    for webhook in webhooks:
        if webhook.failing_since is not None and webhook.failing_since <= now - FAILING_LIMIT:
            _disable(webhook.pk, Webhook.DisabledBy.FAILING, now)


def _disable(webhook_id: UUID, by: Webhook.DisabledBy, now: datetime) -> None:
    enabling.disable(webhook_id=webhook_id, by=by, now=now, hold_at_once=False)
