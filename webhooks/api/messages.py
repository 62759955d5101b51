"""The messages that Pave sends, in the API's description."""

from typing import Any

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    OpenApiWebhook,
    extend_schema,
)
from rest_framework import serializers

from pave.api.fields import ConstField, TimestampField
from webhooks.delivery.test_event import NOTE
from webhooks.event_types import TEST

Described = dict[str, Any]


class MessageSerializer(serializers.Serializer):
    """The members of all messages; each has a ``type`` of its own."""

    timestamp = TimestampField(help_text="When it happened.")


class TestMessageSerializer(MessageSerializer):
    """A test message."""

    data = serializers.DictField()  # type: ignore[assignment]  # DRF takes fields out of the class


def message(
    event_type: str, summary: str, body: type[MessageSerializer], example: Described
) -> OpenApiWebhook:
    """Return the description of a message that Pave sends.

    Args:
        event_type: Its event type.
        summary: What happened.
        body: The serializer of messages about such an object.
        example: An example, without its type.
    """
    name = "".join(word.capitalize() for word in event_type.removeprefix("webhook.").split("."))
    members = {"type": ConstField(event_type), "__doc__": body.__doc__}
    return OpenApiWebhook(
        event_type,
        extend_schema(
            operation_id=f"on{name}",
            tags=["Webhooks that Pave sends"],
            summary=summary,
            description=f"{summary}. Sent to "
            + ("it" if event_type == TEST else f"webhooks that subscribe to `{event_type}`")
            + ".",
            request=type(f"{name}MessageSerializer", (body,), members),
            responses={
                200: OpenApiResponse(
                    description="Any 2xx within 15 s is a success; otherwise it is retried."
                ),
                410: OpenApiResponse(description="Disables the webhook."),
            },
            examples=[OpenApiExample(name, {"type": event_type, **example})],
        ),
    )


TEST_MESSAGE = message(
    TEST,
    "A test of a webhook was requested",
    TestMessageSerializer,
    {
        "timestamp": "2026-11-20T09:30:00.000000Z",
        "data": {
            "webhook": "01970f41-2c3d-7a10-8f00-abcdef012345",
            "note": NOTE,
        },
    },
)


def sign(result: Described, **kwargs: Any) -> Described:
    """Add the headers of messages, which drf-spectacular cannot describe (a hook)."""
    headers = {
        "webhook-id": "The event's id, the same on every attempt.",
        "webhook-timestamp": "Seconds since 1970, of this attempt.",
        "webhook-signature": "`v1,` and a base64 HMAC-SHA256, one for each live secret (Standard "
        "Webhooks 1.0.0).",
    }
    for path in result["webhooks"].values():
        path["post"]["security"] = []
        path["post"]["parameters"] = [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in headers.items()
        ]
    return result
