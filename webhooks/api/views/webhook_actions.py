"""``/v1/webhooks/{id}/…``: actions on a webhook."""

from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse
from rest_framework.response import Response

from pave.api.exceptions import Conflict
from pave.api.openapi.problems import refused
from pave.api.openapi.schema import location, operation
from pave.api.throttling import limit_errors
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest
from webhooks.api.representations import (
    CheckReportSerializer,
    RecoveryCountSerializer,
    RecoverySerializer,
    TestResultSerializer,
    WebhookWithSecretSerializer,
)
from webhooks.api.serializers import EmptySerializer, RecoverSerializer, RotateSecretSerializer
from webhooks.api.views.webhooks import own_webhook, recorded, validated
from webhooks.delivery import endpoint_check, recovery, test_event
from webhooks.endpoints import services
from webhooks.models import Recovery

_TAG = "Webhooks"


class RotateSecretView(ClientView):
    """``POST /v1/webhooks/{id}/rotate-secret``."""

    @operation(
        "rotateSecret",
        _TAG,
        "Give a webhook a new secret",
        request=RotateSecretSerializer,
        responses={
            200: OpenApiResponse(
                WebhookWithSecretSerializer, "The new secret, which is not shown again."
            ),
            **refused(409, "This webhook has the maximum number of secrets."),
        },
    )
    def post(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Give the webhook a new secret, not shown again; the old one still signs for a while."""
        webhook = own_webhook(request, webhook_id)
        hours = validated(RotateSecretSerializer(data=request.data))["overlap_hours"]
        try:
            with recorded(request, "gave a new secret to", webhook):
                secret = services.rotate_secret(webhook=webhook, overlap=hours * services.HOUR)
        except services.LimitReached as error:
            raise Conflict(str(error)) from error
        except services.Deleted as error:
            raise Http404 from error
        webhook = own_webhook(request, webhook_id)
        return Response(WebhookWithSecretSerializer(webhook, context={"secret": secret}).data)


class TestView(ClientView):
    """``POST /v1/webhooks/{id}/test``."""

    @operation(
        "sendTest",
        _TAG,
        "Send a test message",
        request=EmptySerializer,
        responses=TestResultSerializer,
    )
    def post(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Send a test event now, and return the outcome."""
        webhook = own_webhook(request, webhook_id)
        validated(EmptySerializer(data=request.data))
        with limit_errors(), test_event.INLINE.slot(webhook.client_id):
            try:
                delivery = test_event.send_test(webhook=webhook)
            except services.Deleted as error:
                raise Http404 from error
        return Response(TestResultSerializer(delivery).data)


class CheckView(ClientView):
    """``POST /v1/webhooks/{id}/check``."""

    @operation(
        "checkReceiver",
        _TAG,
        "Check how an endpoint handles good and bad messages",
        request=EmptySerializer,
        responses=CheckReportSerializer,
    )
    def post(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Send good and bad messages now, and return which of them were handled correctly."""
        webhook = own_webhook(request, webhook_id)
        validated(EmptySerializer(data=request.data))
        with limit_errors(), test_event.INLINE.slot(webhook.client_id):
            results = endpoint_check.check(webhook=webhook)
        ok = all(result.passed for result in results)
        report = {"webhook": webhook.pk, "ok": ok, "checks": results}
        return Response(CheckReportSerializer(report).data)


class RecoverView(ClientView):
    """``POST /v1/webhooks/{id}/recover``."""

    @operation(
        "recover",
        _TAG,
        "Send again what never succeeded",
        parameters=[location(202)],
        request=RecoverSerializer,
        responses={
            200: OpenApiResponse(RecoveryCountSerializer, "What would be sent."),
            202: OpenApiResponse(RecoverySerializer, "It is running."),
            **refused(409, "Another recovery of this webhook is still running."),
        },
    )
    def post(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Start to send again what never succeeded in a window, or only count it."""
        webhook = own_webhook(request, webhook_id)
        fields = validated(RecoverSerializer(data=request.data))
        window = {"since": fields["since"], "until": fields["until"]}
        if fields["dry_run"]:
            counts = recovery.count(webhook=webhook, **window)
            total = sum(counts.values())
            counted = {"webhook_id": webhook.pk, **window, "counts": {"total": total, **counts}}
            return Response(RecoveryCountSerializer(counted).data)
        try:
            job = recovery.start(webhook=webhook, **window)
        except recovery.AlreadyRunning as error:
            raise Conflict(str(error)) from error
        return Response(
            RecoverySerializer(job).data,
            status=202,
            headers={"Location": reverse("recovery", args=[job.pk])},
        )


class RecoveryView(ClientView):
    """``/v1/recoveries/{id}``."""

    @operation("getRecovery", _TAG, "Get the progress of a recovery", responses=RecoverySerializer)
    def get(self, request: ClientRequest, recovery_id: UUID) -> Response:
        """Return the recovery's progress."""
        job = get_object_or_404(Recovery.objects.for_client(request.client), pk=recovery_id)
        return Response(RecoverySerializer(job).data)
