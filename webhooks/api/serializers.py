"""Serializers of requests about webhooks."""

from collections.abc import Mapping
from math import ceil
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import Throttled

from pave.api.exceptions import Overloaded
from pave.api.fields import BooleanField, IntegerField, TextField, TimestampField
from webhooks.delivery.results import MASK
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
from webhooks.models import Delivery
from webhooks.models.webhook import MAX_IN_FLIGHT, Webhook
from webhooks.policies.custom_headers import problem_with


class URLField(TextField):
    """An address that webhooks may be sent to."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(max_length=2048, **kwargs)

    def to_internal_value(self, data: str) -> str:
        """Return the URL, or refuse it for what can be seen without a look-up."""
        url = super().to_internal_value(data)
        try:
            address_policy().check_url(url)
            refuse_card_number(url)
        except AddressError as error:
            raise serializers.ValidationError(str(error)) from error
        return url


class EventsField(serializers.Field):
    """The types of events that a webhook wants; an empty list means all."""

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
                names = ", ".join((*EVENT_TYPES, *GROUPS))
                self.fail("unknown", name=repr(name[:64]), names=names)
        return list(dict.fromkeys(data))

    def to_recurrentation(self, value: list[str]) -> list[str]:
        """Return the types."""
        return value


class HeadersField(serializers.Field):
    """Headers of the client's own. A value that the API masked stands for the one it has."""

    default_error_messages = {"invalid": "Must be an object of header names and values."}

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the headers."""
        if not isinstance(data, dict):
            self.fail("invalid")
        current: Mapping[str, str] = {}
        if isinstance(self.parent.instance, Webhook):
            current = self.parent.instance.headers or {}
        headers = {
            name: current.get(name, value) if value == MASK else value
            for name, value in data.items()
        }
        if problem := problem_with(headers):
            name, reason = problem
            raise serializers.ValidationError({name: [reason]} if name else [reason])
        return headers

    def to_recurrentation(self, value: dict[str, str]) -> dict[str, str]:
        """Return the headers' names."""
        return dict.fromkeys(value, MASK)


class StrictSerializer(serializers.Serializer):
    """A body or a query without unknown fields, so that typing errors are refused."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the fields' values."""
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {name[:64]: ["There is no such field."] for name in unknown}
                )
        return super().to_internal_value(data)


class ResolvedURLSerializer(serializers.Serializer):
    """A body with the URL of a webhook, whose host is looked up once all else is right.

    Its context names the waiting ``caller`` (see webhooks/endpoints/name_lookups.py).
    """

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the fields, or refuse the URL for where its host leads.

        A name that cannot be resolved yet is refused too: a typing error is far likelier than an
        endpoint that is still to be made.

        Raises:
            Throttled: The caller has another look-up.
            Overloaded: Others have too many.
        """
        if "url" in attrs:
            try:
                name_lookups.policy_for(self.context["caller"]).check_resolves(attrs["url"])
            except AddressError as error:
                raise serializers.ValidationError({"url": [str(error)]}) from error
            except name_lookups.Full as error:
                raise Overloaded(ceil(name_lookups.SECONDS), str(error)) from error
            except name_lookups.Busy as error:
                raise Throttled(ceil(name_lookups.SECONDS), str(error)) from error
        return attrs


class CreateWebhookSerializer(ResolvedURLSerializer):
    """The body of the seed's route."""

    url = URLField()
    client_id = TextField(max_length=64, required=False)


class WebhookSerializer(ResolvedURLSerializer, StrictSerializer):
    """What a client may say about a webhook of its own."""

    url = URLField()
    description = TextField(max_length=500, required=False, allow_blank=True)
    events = EventsField(required=False)
    enabled = BooleanField(required=False)
    max_in_flight = IntegerField(min_value=1, max_value=MAX_IN_FLIGHT, required=False)
    headers = HeadersField(required=False)


class RotateSerializer(StrictSerializer):
    """The body of a rotation: for how many hours the old secret goes on signing."""

    overlap_hours = IntegerField(
        min_value=0, max_value=MAX_OVERLAP // HOUR, required=False, default=DEFAULT_OVERLAP // HOUR
    )


class RecoverSerializer(StrictSerializer):
    """The body of a recovery."""

    since = TimestampField()
    until = TimestampField(required=False)
    dry_run = BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the window, which ends now unless it says otherwise."""
        now = timezone.now()
        attrs.setdefault("until", now)
        if attrs["since"] > now:
            raise serializers.ValidationError({"since": ["Must not be in the future."]})
        if attrs["until"] <= attrs["since"]:
            raise serializers.ValidationError({"until": ["Must be later than since."]})
        return attrs


class EmptySerializer(StrictSerializer):
    """A body that has nothing to say."""


class DeliveryFilterSerializer(StrictSerializer):
    """The query of a list of deliveries."""

    status = serializers.ChoiceField(
        choices=Delivery.Status.choices,
        required=False,
        error_messages={"invalid_choice": f"Must be one of {', '.join(Delivery.Status.values)}."},
    )
    event = TextField(required=False, max_length=64)
    cursor = TextField(required=False)
    limit = TextField(required=False)

    def validate_event(self, value: str) -> dict[str, Any]:
        """Return the look-up that an event's type, group of types, or id stands for."""
        if is_group(value):
            return {"event__type__startswith": value.removesuffix("*")}
        if is_known(value):
            return {"event__type": value}
        try:
            return {"event": UUID(value)}
        except ValueError:
            raise serializers.ValidationError(
                f"Must be an event's id, or one of {', '.join((*EVENT_TYPES, *GROUPS))}."
            ) from None
