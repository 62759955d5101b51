"""The objects about webhooks, in the API's description."""

from pave.api.openapi.registry import (
    array,
    identifier,
    moment,
    nullable,
    number,
    obj,
    one_of,
    page,
    ref,
    schemas,
    text,
)
from webhooks.event_types import EVENT_TYPES, GROUPS
from webhooks.http.outcome import ErrorClass
from webhooks.models import Delivery, DeliveryAttempt, Recovery, Webhook
from webhooks.models.webhook import MAX_IN_FLIGHT
from webhooks.policies.custom_headers import MAX_HEADERS, MAX_NAME, MAX_VALUE

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the standard's own example
URL = "https://client.example/webhooks/pave"
_ID = "01970f00-1b2c-7d3e-8f40-5a6b7c8d9e0f"
WEBHOOK_EXAMPLE = {
    "id": _ID,
    "url": URL,
    "description": "",
    "events": ["normalization.completed", "batch.*"],
    "enabled": True,
    "max_in_flight": 16,
    "headers": {},
    "disabled_by": None,
    "disabled_at": None,
    "failing_since": None,
    "breaker": {
        "state": "closed",
        "failures": 0,
        "opened_at": None,
        "paused_until": None,
        "window": 4,
    },
    "secrets": [{"created_at": "2026-11-20T09:00:00.000000Z", "expires_at": None}],
    "created_at": "2026-11-20T09:00:00.000000Z",
}
_COUNT = number("integer", minimum=0)
_EVENTS = array(
    one_of([*EVENT_TYPES, *GROUPS]), description="What it is told of; empty: everything."
)
_WRITABLE = {
    "url": text(
        "Where messages go: http or https, a public address, no user and password in it.",
        format="uri",
        maxLength=2048,
    ),
    "description": text("For people.", maxLength=500, pattern=r"^[^\u0000]*$"),
    "events": _EVENTS,
    "enabled": {
        "type": "boolean",
        "description": "While it is disabled its messages are held; enabling releases them.",
    },
    "max_in_flight": number(
        "integer",
        "How many messages may be under way to it at once.",
        minimum=1,
        maximum=MAX_IN_FLIGHT,
    ),
    "headers": {
        "type": "object",
        "description": "Headers of your own, sent with each message. Names by which messages are "
        "framed and signed are reserved.",
        "maxProperties": MAX_HEADERS,
        "propertyNames": {"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "maxLength": MAX_NAME},
        "additionalProperties": text(
            minLength=1, maxLength=MAX_VALUE, pattern=r"^[!-~]([ -~\t]*[!-~])?$"
        ),
    },
}
_WEBHOOK = {
    "id": identifier(),
    "url": text(),
    "description": text(),
    "events": array(text()),
    "enabled": {"type": "boolean"},
    "max_in_flight": _COUNT,
    "headers": {
        "type": "object",
        "description": "Their names; the values are masked.",
        "additionalProperties": text(),
    },
    "disabled_by": nullable(one_of(Webhook.DisabledBy.values)),
    "disabled_at": nullable(moment()),
    "failing_since": nullable(moment("Since when there have been nothing but failures.")),
    "breaker": obj(
        {
            "state": one_of(["closed", "open", "half-open"]),
            "failures": _COUNT,
            "opened_at": nullable(moment()),
            "paused_until": nullable(moment()),
            "window": _COUNT,
        },
        description="Whether an endpoint that fails is spared for a while.",
    ),
    "secrets": array(
        obj({"created_at": moment(), "expires_at": nullable(moment())}),
        description="Those that messages are signed with; the secrets are not shown again.",
    ),
    "created_at": moment(),
}
_SHOWN_ONCE = {"secret": text("Shown this once.", pattern="^whsec_")}
_DELIVERY = {
    "id": identifier(),
    "webhook": identifier(),
    "event": obj(
        {
            "id": identifier("The `webhook-id` of its messages."),
            "type": text(),
            "subject": identifier("The normalization or batch that it is about."),
            "created_at": moment(),
        }
    ),
    "status": one_of(Delivery.Status.values),
    "held_by": nullable(text("Why it is held.")),
    "attempts": number("integer", "How many there were.", minimum=0),
    "next_attempt_at": nullable(moment()),
    "next_trigger": nullable(one_of(Delivery.Trigger.values)),
    "created_at": moment(),
    "finished_at": nullable(moment()),
}
_HEADERS = {"type": "object", "additionalProperties": True}
_WINDOW = {"webhook": identifier(), "since": moment(), "until": moment()}
_STATUS_COUNTS = dict.fromkeys(Delivery.Status.values, _COUNT)

schemas(
    CreateWebhook=obj(
        {
            "url": _WRITABLE["url"],
            "client_id": text("The key's client; may be left out.", maxLength=64),
        },
        optional=("client_id",),
        examples=[{"url": URL}],
    ),
    NewWebhook=obj(
        _WRITABLE,
        optional=tuple(name for name in _WRITABLE if name != "url"),
        additionalProperties=False,
        examples=[{"url": URL}],
    ),
    WebhookChanges=obj(
        _WRITABLE,
        optional=tuple(_WRITABLE),
        additionalProperties=False,
        examples=[{"enabled": True}],
    ),
    Webhook=obj(_WEBHOOK, examples=[WEBHOOK_EXAMPLE]),
    WebhookWithSecret=obj(
        {**_WEBHOOK, **_SHOWN_ONCE}, examples=[{**WEBHOOK_EXAMPLE, "secret": SECRET}]
    ),
    WebhookPage=page("Webhook"),
    Delivery=obj(_DELIVERY),
    DeliveryPage=page("Delivery"),
    DeliveryWithAttempts=obj(
        {**_DELIVERY, "attempt_count": _COUNT, "attempts": array(ref("Attempt"))}
    ),
    Attempt=obj(
        {
            "number": number("integer", minimum=1),
            "trigger": one_of(DeliveryAttempt.Trigger.values),
            "ok": {"type": "boolean"},
            "url": text(),
            "started_at": moment(),
            "duration_ms": nullable(_COUNT),
            "resolved_address": nullable(text("The address that was dialled.")),
            "status": nullable(number("integer", "The endpoint's answer.")),
            "error": nullable(one_of([str(error.value) for error in ErrorClass])),
            "detail": nullable(text()),
            "request_headers": _HEADERS,
            "response_headers": _HEADERS,
            "response_head": text("The first 4 KiB of the answer."),
            "timings": {
                "type": "object",
                "description": "Milliseconds of each phase.",
                "additionalProperties": True,
            },
        }
    ),
    TestResult=obj({"delivery": ref("Delivery"), "attempt": ref("Attempt")}),
    CheckReport=obj(
        {
            "webhook": identifier(),
            "ok": {"type": "boolean"},
            "checks": array(
                obj(
                    {
                        "name": text(),
                        "expected": one_of(["2xx", "4xx"]),
                        "ok": {"type": "boolean"},
                        "sent": {"type": "boolean"},
                        "status": nullable(number("integer")),
                        "error": nullable(text()),
                        "duration_ms": nullable(_COUNT),
                        "detail": nullable(text()),
                    }
                )
            ),
        }
    ),
    Recover=obj(
        {
            "since": moment("The first moment of the window."),
            "until": moment("Its end; left out: now."),
            "dry_run": {"type": "boolean", "description": "Only count what would be sent."},
        },
        optional=("until", "dry_run"),
        additionalProperties=False,
        examples=[{"since": "2026-11-20T00:00:00Z", "dry_run": True}],
    ),
    RecoveryCount=obj(
        {
            **_WINDOW,
            "dry_run": {"const": True},
            "counts": obj({"total": _COUNT}, additionalProperties=_COUNT),
        }
    ),
    Recovery=obj(
        {
            "id": identifier(),
            **_WINDOW,
            "dry_run": {"const": False},
            "status": one_of(Recovery.Status.values),
            "counts": obj({"total": _COUNT, "queued": _COUNT, **_STATUS_COUNTS}),
            "created_at": moment(),
            "completed_at": nullable(moment()),
        }
    ),
)
