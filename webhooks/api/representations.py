"""Webhooks, deliveries, attempts, recoveries: the objects of the API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from webhooks.delivery.endpoint_check import CheckResult
from webhooks.delivery.recovery import progress
from webhooks.delivery.results import MASK
from webhooks.models import Delivery, DeliveryAttempt, Recovery, Webhook


def webhook_object(webhook: Webhook) -> dict[str, Any]:
    """Return a webhook. Neither its secrets nor the values of its headers are shown."""
    health = webhook.health
    now = timezone.now()
    return {
        "id": str(webhook.pk),
        "url": webhook.url,
        "description": webhook.description,
        "events": list(webhook.events),
        "enabled": webhook.enabled,
        "max_in_flight": webhook.max_in_flight,
        "headers": dict.fromkeys(webhook.headers or {}, MASK),
        "disabled_by": webhook.disabled_by or None,
        "disabled_at": as_text(webhook.disabled_at),
        "failing_since": as_text(webhook.failing_since),
        "breaker": {
            "state": health.state(now),
            "failures": health.failures,
            "opened_at": as_text(health.opened_at),
            "paused_until": as_text(health.paused_until) if health.is_paused(now) else None,
            "window": min(health.limit, webhook.max_in_flight),
        },
        "secrets": [
            {"created_at": as_text(secret.created_at), "expires_at": as_text(secret.expires_at)}
            for secret in webhook.secrets.all()
            if secret.expires_at is None or secret.expires_at > now
        ],
        "created_at": as_text(webhook.created_at),
    }


def delivery_object(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery, with its event loaded; ``attempts`` counts them."""
    return {
        "id": str(delivery.pk),
        "webhook": str(delivery.webhook_id),
        "event": {
            "id": str(delivery.event_id),
            "type": delivery.event.type,
            "subject": str(delivery.event.subject_id),
            "created_at": as_text(delivery.event.created_at),
        },
        "status": delivery.status,
        "held_by": delivery.held_by or None,
        "attempts": delivery.attempts,
        "next_attempt_at": as_text(delivery.next_attempt_at),
        "next_trigger": delivery.trigger if delivery.status == Delivery.Status.PENDING else None,
        "created_at": as_text(delivery.created_at),
        "finished_at": as_text(delivery.finished_at),
    }


def delivery_with_attempts(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery with ``attempts`` as the list of them, oldest first."""
    attempts = list(delivery.attempt_set.order_by("number"))
    return {
        **delivery_object(delivery),
        "attempt_count": delivery.attempts,
        "attempts": [attempt_object(attempt) for attempt in attempts],
    }


def attempt_object(attempt: DeliveryAttempt) -> dict[str, Any]:
    """Return an attempt with all the evidence there is."""
    return {
        "number": attempt.number,
        "trigger": attempt.trigger,
        "ok": attempt.ok,
        "url": attempt.url,
        "started_at": as_text(attempt.started_at),
        "duration_ms": attempt.duration_ms,
        "resolved_address": attempt.resolved_address or None,
        "status": attempt.status_code,
        "error": attempt.error or None,
        "detail": attempt.detail or None,
        "request_headers": attempt.request_headers,
        "response_headers": attempt.response_headers,
        "response_head": attempt.response_head,
        "timings": attempt.timings,
    }


def recovery_object(recovery: Recovery) -> dict[str, Any]:
    """Return a recovery with its progress."""
    return {
        "id": str(recovery.pk),
        "webhook": str(recovery.webhook_id),
        "since": as_text(recovery.since),
        "until": as_text(recovery.until),
        "dry_run": False,
        "status": recovery.status,
        "counts": progress(recovery),
        "created_at": as_text(recovery.created_at),
        "completed_at": as_text(recovery.completed_at),
    }


def check_object(webhook: Webhook, results: Sequence[CheckResult]) -> dict[str, Any]:
    """Return the report of a receiver check."""
    return {
        "webhook": str(webhook.pk),
        "ok": all(result.passed for result in results),
        "checks": [
            {
                "name": result.message.name,
                "expected": "2xx" if result.message.accept else "4xx",
                "ok": result.passed,
                "sent": result.outcome is not None,
                "status": result.outcome.status if result.outcome else None,
                "error": (result.outcome.error or None) if result.outcome else None,
                "duration_ms": result.outcome.duration_ms if result.outcome else None,
                "detail": None if result.passed else result.reason,
            }
            for result in results
        ],
    }


def as_text(timestamp: datetime | None) -> str | None:
    """Return a time as RFC 3339 has it, in UTC."""
    return timestamp.isoformat().replace("+00:00", "Z") if timestamp else None
