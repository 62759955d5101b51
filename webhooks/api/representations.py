"""Webhooks, deliveries, attempts and recoveries in the API's responses."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from pave.api.fields import ConstField, ShownTextField, TimestampField
from pave.api.pagination import count_within_page
from webhooks.api import examples
from webhooks.delivery.endpoint_check import CheckResult
from webhooks.delivery.recovery import progress
from webhooks.delivery.results import INTERRUPTED
from webhooks.http.outcome import ErrorClass
from webhooks.http.signing import MASK
from webhooks.models import ATTEMPTS_SHOWN, Delivery, DeliveryAttempt, Recovery, Webhook
from webhooks.policies.circuit_breaker import BreakerState


class BreakerSerializer(serializers.Serializer):
    """The circuit breaker: whether a failing endpoint is left alone for a while."""

    state = ShownTextField(words=BreakerState)
    failures = serializers.IntegerField(min_value=0)
    opened_at = TimestampField(allow_null=True)
    paused_until = TimestampField(allow_null=True)
    window = serializers.IntegerField(min_value=0)

    def to_representation(self, webhook: Webhook) -> dict[str, Any]:
        """Return the state of a webhook's breaker."""
        health, now = webhook.health, timezone.now()
        return super().to_representation(
            {
                "state": health.state(now),
                "failures": health.failures,
                "opened_at": health.opened_at,
                "paused_until": health.paused_until if health.is_paused(now) else None,
                "window": min(health.limit, webhook.max_in_flight),
            }
        )


class SecretTimesSerializer(serializers.Serializer):
    """When a secret was created, and until when it signs."""

    created_at = TimestampField()
    expires_at = TimestampField(allow_null=True)


@extend_schema_serializer(examples=[OpenApiExample("Webhook", examples.WEBHOOK)])
class WebhookSerializer(serializers.Serializer):
    """Where messages go, and the endpoint's health. Secrets and header values are not shown."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    enabled = serializers.BooleanField()
    max_in_flight = serializers.IntegerField(min_value=0)
    headers = serializers.SerializerMethodField()
    disabled_by = ShownTextField(allow_null=True, words=Webhook.DisabledBy.values)
    disabled_at = TimestampField(allow_null=True)
    failing_since = TimestampField(
        allow_null=True, help_text="Since when there have been nothing but failures."
    )
    breaker = BreakerSerializer(source="*")
    secrets = serializers.SerializerMethodField()
    created_at = TimestampField()

    def get_headers(self, webhook: Webhook) -> dict[str, str]:
        """Their names; the values are masked."""
        return dict.fromkeys(webhook.headers or {}, MASK)

    @extend_schema_field(SecretTimesSerializer(many=True))
    def get_secrets(self, webhook: Webhook) -> Any:
        """Return the secrets that sign messages."""
        now = timezone.now()
        live = [
            secret
            for secret in webhook.secrets.all()
            if secret.expires_at is None or secret.expires_at > now
        ]
        return SecretTimesSerializer(live, many=True).data


@extend_schema_serializer(examples=[OpenApiExample("Webhook", examples.WEBHOOK_WITH_SECRET)])
class WebhookWithSecretSerializer(WebhookSerializer):
    """A webhook with its new secret."""

    secret = serializers.SerializerMethodField()

    def get_secret(self, webhook: Webhook) -> str:
        """Not shown again."""
        return self.context["secret"]  # the row holds it encrypted


@extend_schema_serializer(examples=[OpenApiExample("Created", examples.CREATED)])
class CreatedWebhookSerializer(serializers.Serializer):
    """The response of the first version's route."""

    client_id = serializers.CharField()
    url = serializers.CharField()
    webhook_id = serializers.UUIDField()
    secret = serializers.CharField(
        required=False, help_text="Only when the webhook is created; not shown again."
    )


class EventSerializer(serializers.Serializer):
    """What happened."""

    id = serializers.UUIDField(help_text="The `webhook-id` of its messages.")
    type = serializers.CharField()
    subject = serializers.UUIDField(
        source="subject_id", help_text="The normalization or batch that it is about."
    )
    created_at = TimestampField()


class DeliverySerializer(serializers.Serializer):
    """An event on its way to a webhook."""

    id = serializers.UUIDField()
    webhook = serializers.UUIDField(source="webhook_id")
    event = EventSerializer()
    status = ShownTextField(words=Delivery.Status.values)
    held_by = ShownTextField(
        allow_null=True,
        words=Webhook.DisabledBy.values,
        help_text="Why it is held, or was until it failed unsent.",
    )
    attempts: serializers.Field = serializers.IntegerField(
        min_value=0, help_text="How many attempts there were."
    )
    next_attempt_at = TimestampField(allow_null=True)
    next_trigger = serializers.SerializerMethodField()
    created_at = TimestampField()
    finished_at = TimestampField(allow_null=True)

    @extend_schema_field(ShownTextField(allow_null=True, words=Delivery.Trigger.values))
    def get_next_trigger(self, delivery: Delivery) -> str | None:
        """Return what triggers the next attempt, if there is to be one."""
        return delivery.trigger if delivery.status == Delivery.Status.PENDING else None


class AttemptSerializer(serializers.Serializer):
    """One attempt to deliver, with its evidence."""

    number = serializers.IntegerField(min_value=1)
    trigger = ShownTextField(words=DeliveryAttempt.Trigger.values)
    ok = serializers.BooleanField()
    url = serializers.CharField()
    started_at = TimestampField()
    duration_ms = serializers.IntegerField(min_value=0, allow_null=True)
    resolved_address = ShownTextField(allow_null=True, help_text="The address that was dialled.")
    status = serializers.IntegerField(
        source="status_code", allow_null=True, help_text="The endpoint's answer."
    )
    error = ShownTextField(
        allow_null=True,
        words=(*ErrorClass, INTERRUPTED),
        help_text=f"Why it failed; `{INTERRUPTED}`: by an error of Pave's, so the outcome is "
        "unknown.",
    )
    detail = ShownTextField(allow_null=True)
    request_headers = serializers.DictField()
    response_headers = serializers.DictField()
    response_head = serializers.CharField(help_text="The first 4,096 characters of the answer.")
    timings = serializers.DictField(help_text="Milliseconds of each phase.")


class DeliveryWithAttemptsSerializer(DeliverySerializer):
    """A delivery with its attempts, oldest first."""

    attempt_count = serializers.IntegerField(source="attempts", min_value=0)
    attempts = serializers.SerializerMethodField(
        help_text=f"The last {ATTEMPTS_SHOWN} of them, oldest first; fewer if these are long."
    )

    @extend_schema_field(AttemptSerializer(many=True))
    def get_attempts(self, delivery: Delivery) -> Any:
        """Return the attempts."""
        newest_first = AttemptSerializer(delivery.latest_attempts(), many=True).data
        return newest_first[: count_within_page(newest_first)][::-1]


class TestResultSerializer(serializers.Serializer):
    """The outcome of a test message."""

    delivery = DeliverySerializer(source="*")
    attempt = AttemptSerializer(source="attempt_set.get")


class WindowSerializer(serializers.Serializer):
    """A window of time whose deliveries are counted or sent again."""

    webhook = serializers.UUIDField(source="webhook_id")
    since = TimestampField()
    until = TimestampField()


class RecoveryCountSerializer(WindowSerializer):
    """The deliveries that a recovery would send."""

    dry_run = ConstField(True)
    counts = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        help_text="`total`, and the number with each status, up to 100,000 of each.",
    )


class ProgressSerializer(serializers.Serializer):
    """How many deliveries there were, how many are queued again, and their statuses."""

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return a count for each status."""
        return {
            name: serializers.IntegerField(min_value=0)
            for name in ("total", "queued", *Delivery.Status.values)
        }

    def to_representation(self, recovery: Recovery) -> dict[str, Any]:
        """Return a recovery's progress."""
        return super().to_representation(progress(recovery))


class RecoverySerializer(WindowSerializer):
    """A recovery and its progress."""

    id = serializers.UUIDField()
    dry_run = ConstField(False)
    status = ShownTextField(words=Recovery.Status.values)
    counts = ProgressSerializer(source="*")
    created_at = TimestampField()
    completed_at = TimestampField(allow_null=True)


class CheckSerializer(serializers.Serializer):
    """How an endpoint handled one message."""

    name = serializers.CharField(source="message.name")
    expected = serializers.SerializerMethodField()
    ok = serializers.BooleanField(source="passed")
    sent = serializers.SerializerMethodField()
    status = serializers.IntegerField(source="outcome.status", allow_null=True)
    error = ShownTextField(source="outcome.error", allow_null=True)
    duration_ms = serializers.IntegerField(
        source="outcome.duration_ms", allow_null=True, min_value=0
    )
    detail = serializers.SerializerMethodField()

    @extend_schema_field(ShownTextField(words=("2xx", "4xx")))
    def get_expected(self, result: CheckResult) -> str:
        """The correct response."""
        return "2xx" if result.message.accept else "4xx"

    def get_sent(self, result: CheckResult) -> bool:
        """Whether the message was sent."""
        return result.outcome is not None

    def get_detail(self, result: CheckResult) -> str | None:
        """What is wrong."""
        return None if result.passed else result.reason


class CheckReportSerializer(serializers.Serializer):
    """How an endpoint handles good and bad messages."""

    webhook = serializers.UUIDField()
    ok = serializers.BooleanField()
    checks = CheckSerializer(many=True)
