"""The webhooks that Pave sends about transactions, in the API's description."""

from merchants.api.openapi.schemas import BATCH_EXAMPLE, FINISHED
from merchants.requests import events
from pave.api.openapi.registry import (
    Described,
    content,
    identifier,
    moment,
    nullable,
    obj,
    param,
    ref,
    schemas,
    text,
    webhook,
)
from webhooks.event_types import TEST

_SIGNED = [
    param("webhook-id", text(), "The event's id, the same on every attempt.", where="header"),
    param("webhook-timestamp", text(), "Seconds since 1970, of this attempt.", where="header"),
    param(
        "webhook-signature",
        text(),
        "`v1,` and a base64 HMAC-SHA256, one for each live secret (Standard Webhooks 1.0.0).",
        where="header",
    ),
]
_BATCH_DATA = {name: value for name, value in BATCH_EXAMPLE.items() if name != "deliveries"}


def _message(event_type: str, data: Described, extra: dict[str, Described]) -> Described:
    return obj(
        {
            "type": text(const=event_type),
            "timestamp": moment("When it happened."),
            **extra,
            "data": data,
        }
    )


def _sent(name: str, summary: str, schema: str, example: Described) -> Described:
    return {
        "post": {
            "operationId": name,
            "tags": ["Webhooks that Pave sends"],
            "summary": summary,
            "parameters": _SIGNED,
            "requestBody": {
                "required": True,
                "content": content(ref(schema), example=example),
            },
            "responses": {
                "200": {"description": "Any 2xx within 15 s is a success; else it is retried."},
                "410": {"description": "Disables the webhook."},
            },
            "security": [],
        }
    }


_SEEDS = {
    "merchant": {
        **nullable(obj({"name": text()})),
        "description": "As in Pave's first version.",
    },
    "request_id": identifier(),
}
for _type, _name, _summary in (
    (events.COMPLETED, "NormalizationCompleted", "A transaction has its answer"),
    (events.FAILED, "NormalizationFailed", "A transaction could not be answered"),
    (events.UPDATED, "NormalizationUpdated", "A correction has changed an earlier answer"),
):
    _failed = _type == events.FAILED
    _data = (
        {**FINISHED, "status": "failed", "merchant": None, "match": None, "error": "It failed."}
        if _failed
        else FINISHED
    )
    schemas(**{f"{_name}Message": _message(_type, ref("NormalizationData"), _SEEDS)})
    webhook(
        _type,
        _sent(
            f"on{_name}",
            _summary,
            f"{_name}Message",
            {
                "type": _type,
                "timestamp": "2026-11-20T09:30:00.940000Z",
                "merchant": None if _failed else {"name": "Blue Bottle Coffee"},
                "request_id": FINISHED["request_id"],
                "data": _data,
            },
        ),
    )
schemas(TestMessage=_message(TEST, {"type": "object", "additionalProperties": True}, {}))
webhook(
    TEST,
    _sent(
        "onTest",
        "A test was asked for",
        "TestMessage",
        {"type": TEST, "timestamp": "2026-11-20T09:30:00.000000Z", "data": {}},
    ),
)
for _type, _name, _summary in (
    (events.BATCH_COMPLETED, "BatchCompleted", "The last row of a batch is final"),
    (
        events.BATCH_UPDATED,
        "BatchUpdated",
        "Corrections have changed answers in a batch that asked for one message",
    ),
):
    schemas(**{f"{_name}Message": _message(_type, ref("BatchData"), {})})
    webhook(
        _type,
        _sent(
            f"on{_name}",
            _summary,
            f"{_name}Message",
            {
                "type": _type,
                "timestamp": "2026-11-20T09:35:00.000000Z",
                "data": {
                    **_BATCH_DATA,
                    "status": "completed",
                    "completed_at": "2026-11-20T09:35:00.000000Z",
                },
            },
        ),
    )
