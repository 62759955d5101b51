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
from webhooks.event_types import TEST

Described = dict[str, Any]


class MessageSerializer(serializers.Serializer):
    """What all messages have; ``type`` is each one's own."""

    timestamp = TimestampField(help_text="When it happened.")


class TestMessageSerializer(MessageSerializer):
    """A message that was asked for to try a webhook."""

    data = serializers.DictField()  # type: ignore[assignment]  # DRF takes fields out of the class


def message(
    event_type: str, summary: str, body: type[MessageSerializer], example: Described
) -> OpenApiWebhook:
    """Return the description of a webhook.

    Args:
        event_type: Whose message it is.
        summary: What has happened.
        body: What all messages about such an object have.
        example: A message, without its type.
    """
    name = "".join(word.capitalize() for word in event_type.removeprefix("webhook.").split("."))
    members = {"type": ConstField(event_type), "__doc__": body.__doc__}
    return OpenApiWebhook(
        event_type,
        extend_schema(
            operation_id=f"on{name}",
            tags=["Webhooks that Pave sends"],
            summary=summary,
            description=f"{summary}. Sent to the webhooks that take `{event_type}`.",
            request=type(f"{name}MessageSerializer", (body,), members),
            responses={
                200: OpenApiResponse(
                    description="Any 2xx within 15 s is a success; else it is retried."
                ),
                410: OpenApiResponse(description="Disables the webhook."),
            },
            examples=[OpenApiExample(name, {"type": event_type, **example})],
        ),
    )


TEST_MESSAGE = message(
    TEST,
    "A test was asked for",
    TestMessageSerializer,
    {"timestamp": "2026-11-20T09:30:00.000000Z", "data": {}},
)


def sign(result: Described, **kwargs: Any) -> Described:
    """Add the headers that every message has, for which drf-spectacular has no word (a hook)."""
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
