"""Serializers of requests about webhooks."""

from collections.abc import Mapping
from math import ceil
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from pave.api.errors import MAX_ERRORS
from pave.api.exceptions import Overloaded
from pave.api.fields import (
    NOT_AN_OBJECT,
    BooleanField,
    DescribedField,
    IntegerField,
    TextField,
    TimestampField,
)
from pave.api.query_params import OneOfField, PageQuery
from pave.api.throttling import LimitExceeded
from webhooks.api import examples
from webhooks.endpoints import name_lookups
from webhooks.endpoints.services import (
    DEFAULT_OVERLAP,
    HOUR,
    MAX_OVERLAP,
    address_policy,
    refuse_card_number,
)
from webhooks.event_types import EVENT_TYPES, GROUPS, is_group, is_known
from webhooks.http.address_policy import AddressError
from webhooks.http.signing import MASK
from webhooks.models import Delivery
from webhooks.models.webhook import MAX_IN_FLIGHT, Webhook
from webhooks.policies.custom_headers import (
    MAX_HEADERS,
    MAX_NAME,
    MAX_VALUE,
    NAME_PATTERN,
    VALUE_PATTERN,
    problem_with,
)

_ANY_EVENT = (*EVENT_TYPES, *GROUPS)


class URLField(TextField):
    """The URL of a webhook."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(
            max_length=2048,
            help_text="Where messages go: http or https, a public address, no user and password in "
            "it.",
            **kwargs,
        )
        self.described = {"type": "string", "format": "uri", "maxLength": 2048}

    def to_internal_value(self, data: str) -> str:
        """Return the URL; refuse one that is invalid without a look-up."""
        url = super().to_internal_value(data)
        try:
            address_policy().check_url(url)
            refuse_card_number(url)
        except AddressError as error:
            raise serializers.ValidationError(str(error)) from error
        return url


class EventsField(serializers.ListField):
    """The event types that a webhook subscribes to; an empty list means all."""

    child = OneOfField(words=_ANY_EVENT, component="EventName")
    default_error_messages = {
        "invalid": "Must be a list of event types, such as normalization.completed.",
        "unknown": "There is no event type {name}. There are: {names}.",
    }

    def to_internal_value(self, data: Any) -> list[str]:
        """Return the types, each once."""
        if not isinstance(data, list) or any(type(name) is not str for name in data):
            self.fail("invalid")
        for name in data:
            if not is_known(name):
                self.fail("unknown", name=repr(name[:64]), names=", ".join(_ANY_EVENT))
        return list(dict.fromkeys(data))


class HeadersField(DescribedField):
    """The client's own headers. A masked value stands for the stored one."""

    described = {
        "type": "object",
        "maxProperties": MAX_HEADERS,
        "propertyNames": {"pattern": f"^{NAME_PATTERN}$", "maxLength": MAX_NAME},
        "additionalProperties": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_VALUE,
            "pattern": f"^{VALUE_PATTERN}$",
        },
    }
    default_error_messages = {"invalid": "Must be an object of header names and values."}

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the headers."""
        if not isinstance(data, dict):
            self.fail("invalid")
        stored: set[str] = set()
        if isinstance(self.parent.instance, Webhook):
            stored = {name.lower() for name in self.parent.instance.headers or {}}
        for name, value in data.items():
            if value == MASK and name.lower() not in stored:
                reason = f"{MASK} stands for the value that is stored, and none is."
                raise serializers.ValidationError({name: [reason]})
        if problem := problem_with(data):
            name, reason = problem
            raise serializers.ValidationError({name: [reason]} if name else [reason])
        return data


class StrictSerializer(serializers.Serializer):
    """Refuses unknown fields, so that typing errors are noticed."""

    strict = True
    default_error_messages = NOT_AN_OBJECT

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the fields' values."""
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {name[:64]: ["There is no such field."] for name in unknown[:MAX_ERRORS]}
                )
        return super().to_internal_value(data)


class ResolvedURLSerializer(serializers.Serializer):
    """A body with the URL of a webhook, whose host is looked up once all else is valid.

    Its context names the ``caller`` that waits (see webhooks/endpoints/name_lookups.py).
    """

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the fields, or refuse a URL whose host has no permitted address.

        A name that cannot be resolved yet is refused too: a typing error is far likelier than an
        endpoint that is still to be made.

        Raises:
            LimitExceeded: The caller has another look-up in progress.
            Overloaded: Other callers have too many.
        """
        if "url" in attrs:
            try:
                name_lookups.policy_for(self.context["caller"]).check_resolves(attrs["url"])
            except AddressError as error:
                raise serializers.ValidationError({"url": [str(error)]}) from error
            except name_lookups.Full as error:
                raise Overloaded(ceil(name_lookups.SECONDS), str(error)) from error
            except name_lookups.Busy as error:
                raise LimitExceeded(ceil(name_lookups.SECONDS), str(error)) from error
        return attrs


@extend_schema_serializer(
    examples=[OpenApiExample("Webhook", {"url": examples.URL, "client_id": "1234"})]
)
class CreateWebhookSerializer(ResolvedURLSerializer):
    """A webhook, as Pave's first version takes it."""

    url = URLField()
    client_id = TextField(max_length=64, required=False, help_text="The key's client; optional.")


@extend_schema_serializer(examples=[OpenApiExample("Webhook", {"url": examples.URL})])
class NewWebhookSerializer(ResolvedURLSerializer, StrictSerializer):
    """The fields of a webhook that its client may set."""

    url = URLField()
    description = TextField(
        max_length=500, required=False, allow_blank=True, help_text="For people."
    )
    events = EventsField(required=False, help_text="Event types to send; empty for all.")
    enabled = BooleanField(
        required=False,
        help_text="While it is disabled its messages are held; enabling releases them.",
    )
    max_in_flight = IntegerField(
        min_value=1,
        max_value=MAX_IN_FLIGHT,
        required=False,
        help_text="How many messages may be in flight to it at once.",
    )
    headers = HeadersField(
        required=False,
        help_text="Headers of your own, sent with each message. Names by which messages are framed "
        "and signed are reserved.",
    )


@extend_schema_serializer(examples=[OpenApiExample("Enable", {"enabled": True})])
class WebhookChangesSerializer(NewWebhookSerializer):
    """Changes to a webhook."""

    url = URLField(required=False)


@extend_schema_serializer(examples=[OpenApiExample("A day", {"overlap_hours": 24})])
class RotateSecretSerializer(StrictSerializer):
    """A rotation of a webhook's secret."""

    overlap_hours = IntegerField(
        min_value=0,
        max_value=MAX_OVERLAP // HOUR,
        required=False,
        default=DEFAULT_OVERLAP // HOUR,
        help_text="How long the old secret goes on signing.",
    )


@extend_schema_serializer(
    examples=[OpenApiExample("Count", {"since": "2026-11-20T00:00:00Z", "dry_run": True})]
)
class RecoverSerializer(StrictSerializer):
    """A window of time; what never succeeded in it is sent again."""

    since = TimestampField(help_text="The start of the window.")
    until = TimestampField(required=False, help_text="The end of the window; by default now.")
    dry_run = BooleanField(
        required=False, default=False, help_text="Only count what would be sent."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the window, which ends now by default."""
        now = timezone.now()
        attrs.setdefault("until", now)
        if attrs["since"] > now:
            raise serializers.ValidationError({"since": ["Must not be in the future."]})
        if attrs["until"] <= attrs["since"]:
            raise serializers.ValidationError({"until": ["Must be later than since."]})
        return attrs


class EmptySerializer(StrictSerializer):
    """An empty body."""


class EventFilterField(TextField):
    """An event's type, a group of types, or an event's id."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)
        names = {"$ref": "#/components/schemas/EventName"}
        self.described = {"anyOf": [names, {"type": "string", "format": "uuid"}]}


class DeliveryQuery(PageQuery):
    """Query parameters of the list of a webhook's deliveries."""

    status = OneOfField(words=Delivery.Status.values, component="DeliveryStatus", required=False)
    event = EventFilterField(
        required=False,
        help_text="An event's type, a group such as `batch.*`, or an event's id.",
    )

    def validate_event(self, value: str) -> dict[str, Any]:
        """Return the filter for an event's type, group of types, or id."""
        if is_group(value):
            return {"event__type__startswith": value.removesuffix("*")}
        if is_known(value):
            return {"event__type": value}
        try:
            return {"event": UUID(value)}
        except ValueError:
            raise serializers.ValidationError(
                f"Must be an event's id, or one of {', '.join(_ANY_EVENT)}."
            ) from None
