"""Keeping each webhook's condition up to date, and disabling the gone and the long failing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Greatest, Least

from webhooks.endpoints import enabling
from webhooks.http.outcome import Outcome
from webhooks.models import Webhook
from webhooks.policies.circuit_breaker import LATE_MS

GONE = 410
# With nothing but failure for so long, a webhook is disabled.
FAILING_LIMIT = timedelta(days=5)
# The response header by which an endpoint says what it wants, and what it can say there.
CONTROL_HEADER = "webhook-delivery"
DISABLE = "disable"
ABORT = "abort-message"

_FIELDS = (*Webhook.CONDITION_FIELDS, "failing_since")
_FULL_WINDOW = Greatest(F("max_in_flight"), 2)
_NOT_AT_ITS_BEST = (
    Q(window__lt=_FULL_WINDOW)
    | Q(steady=None)
    | Q(steady=False)
    | Q(breaker_failures__gt=0)
    | ~Q(breaker_opened_at=None)
    | ~Q(failing_since=None)
)


def note(outcomes: Sequence[tuple[UUID, Outcome]], *, now: datetime) -> None:
    """Note what came of attempts; call it in the transaction that records them.

    Where all is well this writes nothing, and asks one question for all webhooks.

    Args:
        outcomes: webhooks' ids and what came of attempts, in any order.
        now: the present.
    """
    by_webhook = {
        pk: [outcome for _, outcome in group]
        for pk, group in groupby(sorted(outcomes, key=lambda pair: pair[0]), lambda pair: pair[0])
    }
    well = {
        pk
        for pk, some in by_webhook.items()
        if all(
            outcome.ok and outcome.duration_ms < LATE_MS and DISABLE not in controls(outcome)
            for outcome in some
        )
    }
    others = by_webhook.keys() - well
    changing = Webhook.objects.filter(_NOT_AT_ITS_BEST, pk__in=well) | Webhook.objects.filter(
        pk__in=others
    )
    # All in one statement and one order, so that two senders never wait for each other.
    locked = list(changing.select_for_update(no_key=True).order_by("pk"))
    _note_well([webhook.pk for webhook in locked if webhook.pk in well])
    _note_others([webhook for webhook in locked if webhook.pk in others], by_webhook, now)
    for pk, some in by_webhook.items():
        if any(outcome.status == GONE for outcome in some):
            _disable(pk, Webhook.DisabledBy.GONE, now)
        elif any(DISABLE in controls(outcome) for outcome in some):
            _disable(pk, Webhook.DisabledBy.ASKED, now)


def controls(outcome: Outcome) -> frozenset[str]:
    """Return what the endpoint asked for in the ``webhook-delivery`` header of its answer."""
    value = outcome.response_headers.get(CONTROL_HEADER, "")
    return frozenset(word.strip().lower() for word in value.split(","))


def _note_well(webhooks: Sequence[UUID]) -> None:
    """Note prompt successes, the same for all of them: ``Condition.after`` in one statement.

    Args:
        webhooks: Ids of locked ones.
    """
    if not webhooks:
        return
    some = Webhook.objects.filter(pk__in=webhooks)
    # A pause that the breaker made is over; one that the endpoint asked for is not.
    some.exclude(breaker_opened_at=None).update(paused_until=None)
    some.update(
        window=Least(F("window") + 1, _FULL_WINDOW),
        steady=True,
        breaker_failures=0,
        breaker_failed_at=None,
        breaker_opened_at=None,
        failing_since=None,
    )


def _note_others(
    webhooks: Sequence[Webhook], by_webhook: Mapping[UUID, Sequence[Outcome]], now: datetime
) -> None:
    if not webhooks:
        return
    for webhook in webhooks:
        condition = webhook.condition
        for outcome in sorted(by_webhook[webhook.pk], key=lambda one: one.started_at):
            condition = condition.after(outcome, max_in_flight=webhook.max_in_flight, now=now)
            if outcome.ok:
                webhook.failing_since = None
            elif webhook.failing_since is None:
                webhook.failing_since = now
        webhook.condition = condition
    Webhook.objects.bulk_update(webhooks, _FIELDS, batch_size=200)
    for webhook in webhooks:
        if webhook.failing_since is not None and webhook.failing_since <= now - FAILING_LIMIT:
            _disable(webhook.pk, Webhook.DisabledBy.FAILING, now)


def _disable(webhook_id: UUID, by: Webhook.DisabledBy, now: datetime) -> None:
    enabling.disable(webhook_id=webhook_id, by=by, now=now, hold_at_once=False)
