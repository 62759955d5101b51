"""``/v1/webhooks/{id}/…``: what can be done with a webhook."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework.response import Response

from pave.api.exceptions import Conflict
from pave.api.throttling import limit_errors
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest
from webhooks.api.representations import (
    as_text,
    attempt_object,
    check_object,
    delivery_object,
    recovery_object,
    webhook_object,
)
from webhooks.api.serializers import EmptySerializer, RecoverSerializer, RotateSerializer
from webhooks.api.views.webhooks import own_webhook, validated
from webhooks.delivery import endpoint_check, recovery, test_event
from webhooks.delivery.inline_limit import TESTS
from webhooks.endpoints import services
from webhooks.models import Recovery


class RotateSecretView(ClientView):
    """``POST /v1/webhooks/{id}/rotate-secret``."""

    def post(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Give the webhook a new secret, shown this once; the old one signs on for a while."""
        webhook = own_webhook(request, webhook_id)
        hours = validated(RotateSerializer(data=request.data))["overlap_hours"]
        try:
            secret = services.rotate_secret(webhook=webhook, overlap=hours * services.HOUR)
        except services.LimitReached as error:
            raise Conflict(str(error)) from error
        return Response({**webhook_object(own_webhook(request, webhook_id)), "secret": secret})


class TestView(ClientView):
    """``POST /v1/webhooks/{id}/test``."""

    def post(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Send a test event now, and answer what came of it."""
        webhook = own_webhook(request, webhook_id)
        validated(EmptySerializer(data=request.data))
        with limit_errors(), TESTS.slot(webhook.client_id):
            delivery = test_event.send_test(webhook=webhook)
        attempt = delivery.attempt_set.get()
        return Response({"delivery": delivery_object(delivery), "attempt": attempt_object(attempt)})


class CheckView(ClientView):
    """``POST /v1/webhooks/{id}/check``."""

    def post(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Send good and bad messages now, and answer which were handled rightly."""
        webhook = own_webhook(request, webhook_id)
        validated(EmptySerializer(data=request.data))
        with limit_errors(), TESTS.slot(webhook.client_id):
            results = endpoint_check.check(webhook=webhook)
        return Response(check_object(webhook, results))


class RecoverView(ClientView):
    """``POST /v1/webhooks/{id}/recover``."""

    def post(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Begin to send again what never succeeded in a window, or only count it."""
        webhook = own_webhook(request, webhook_id)
        fields = validated(RecoverSerializer(data=request.data))
        window = {"since": fields["since"], "until": fields["until"]}
        if fields["dry_run"]:
            counts = recovery.count(webhook=webhook, **window)
            return Response(
                {
                    "webhook": str(webhook.pk),
                    "since": as_text(fields["since"]),
                    "until": as_text(fields["until"]),
                    "dry_run": True,
                    "counts": {"total": sum(counts.values()), **counts},
                }
            )
        try:
            job = recovery.start(webhook=webhook, **window)
        except recovery.AlreadyRunning as error:
            raise Conflict(str(error)) from error
        return Response(
            recovery_object(job),
            status=202,
            headers={"Location": reverse("recovery", args=[job.pk])},
        )


class RecoveryView(ClientView):
    """``/v1/recoveries/{id}``."""

    def get(self, request: ClientRequest, recovery_id: UUID) -> Response:
        """Answer how far the recovery is."""
        job = get_object_or_404(Recovery.objects.for_client(request.client), pk=recovery_id)
        return Response(recovery_object(job))
