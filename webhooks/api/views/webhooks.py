"""``/v1/webhooks``: creating, reading, changing and deleting webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from pave.api.exceptions import Conflict
from pave.api.idempotency import idempotent
from pave.api.openapi.problems import refused
from pave.api.openapi.schema import location, operation
from pave.api.pagination import NewestFirst
from pave.api.query_params import PageQuery, read_query
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest
from pave.clients.models import Client
from pave.staff import audit
from webhooks.api.representations import WebhookSerializer, WebhookWithSecretSerializer
from webhooks.api.serializers import NewWebhookSerializer, WebhookChangesSerializer
from webhooks.endpoints import enabling, services
from webhooks.models import Webhook

_TAG = "Webhooks"
# Of what a client does to a webhook.
_ON_RECORD = ("url", "description", "events", "max_in_flight", "enabled", "deleted_at")


def own_webhook(request: ClientRequest, webhook_id: UUID) -> Webhook:
    """Return the calling client's webhook.

    Raises:
        Http404: There is none, or it is another client's.
    """
    return get_object_or_404(
        Webhook.objects.for_client(request.client).prefetch_related("secrets"), pk=webhook_id
    )


def validated(serializer: Serializer) -> dict[str, Any]:
    """Return a serializer's validated data.

    Raises:
        ValidationError: The data is invalid.
    """
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def look_up_context(request: Request) -> dict[str, str]:
    """Return a serializer's context: the caller that waits for a look-up."""
    kind = "client" if isinstance(request.user, Client) else "staff"
    return {"caller": f"{kind}-{request.user.pk}"}


@contextmanager
def recorded(request: ClientRequest, action: str, webhook: Webhook) -> Iterator[None]:
    """Put on record what the block does to a webhook of the calling client."""
    with transaction.atomic():
        stored = services.lock_existing(webhook)
        if stored is None:
            raise Http404
        before = audit.snapshot(stored)
        yield
        record(request, action, Webhook.objects.get(pk=webhook.pk), before)


def record(
    request: Request, action: str, webhook: Webhook, before: audit.Snapshot | None = None
) -> None:
    """Put on record what the calling client has done to its webhook.

    Args:
        request: The client's.
        action: What it did.
        webhook: As it is now.
        before: As it was; None if it is new.
    """
    all_changes = audit.differences(before or {}, audit.snapshot(webhook))
    changes = {name: all_changes[name] for name in _ON_RECORD if name in all_changes}
    if action == "changed" and "headers" in request.data:
        changes["headers"] = [audit.MASK, audit.MASK]
    if changes or action != "changed":
        audit.record_of_client(
            request,
            client_id=webhook.client.client_id,
            # By themselves, since there are at most so many of an action.
            action="changed the URL of" if action == "changed" and "url" in changes else action,
            obj=webhook,
            changes=changes,
        )


def _new_webhook(view: ClientView, request: ClientRequest) -> dict[str, Any]:
    return validated(NewWebhookSerializer(data=request.data, context=look_up_context(request)))


class WebhooksView(ClientView):
    """``/v1/webhooks``."""

    pagination_class = NewestFirst

    @operation(
        "listWebhooks",
        _TAG,
        "List webhooks",
        parameters=[PageQuery],
        responses=WebhookSerializer(many=True),
    )
    def get(self, request: ClientRequest) -> Response:
        """Return the client's webhooks, newest first."""
        read_query(request, PageQuery)
        paginator = self.pagination_class()
        webhooks = Webhook.objects.for_client(request.client).prefetch_related("secrets")
        page = paginator.paginate_queryset(webhooks, request, view=self)
        return paginator.get_paginated_response(WebhookSerializer(page, many=True).data)

    @operation(
        "createWebhook",
        _TAG,
        "Create a webhook",
        parameters=[location(201)],
        request=NewWebhookSerializer,
        responses={
            201: OpenApiResponse(
                WebhookWithSecretSerializer, "It is created; its secret is not shown again."
            )
        },
    )
    @idempotent(check=_new_webhook)
    def post(self, request: ClientRequest, fields: dict[str, Any]) -> Response:
        """Create a webhook; return it with its secret, which is not shown again."""
        try:
            with transaction.atomic():
                webhook, secret = services.create(client=request.client, **fields)
                record(request, "created", webhook)
        except services.LimitReached as error:
            raise Conflict(str(error)) from error
        return Response(
            WebhookWithSecretSerializer(webhook, context={"secret": secret}).data,
            status=201,
            headers={"Location": reverse("webhook", args=[webhook.pk])},
        )


class WebhookView(ClientView):
    """``/v1/webhooks/{id}``."""

    @operation("getWebhook", _TAG, "Get a webhook", responses=WebhookSerializer)
    def get(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Return the webhook and its endpoint's health."""
        return Response(WebhookSerializer(own_webhook(request, webhook_id)).data)

    @operation(
        "changeWebhook",
        _TAG,
        "Change a webhook",
        request=WebhookChangesSerializer,
        responses={
            200: WebhookSerializer,
            **refused(409, "Our staff disabled this webhook; please ask them to enable it."),
        },
    )
    def patch(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Change the fields in the body; enabling releases held deliveries."""
        webhook = own_webhook(request, webhook_id)
        context = look_up_context(request)
        fields = validated(WebhookChangesSerializer(webhook, data=request.data, context=context))
        enabled = fields.pop("enabled", None)
        with recorded(request, "changed", webhook):
            if enabled is True:
                try:
                    enabling.enable(webhook=webhook, by_client=True)
                except enabling.DisabledByStaff as error:
                    raise Conflict(str(error)) from error
            if fields:
                services.change(webhook=webhook, fields=fields)
            if enabled is False:
                enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.CLIENT)
        return Response(WebhookSerializer(own_webhook(request, webhook_id)).data)

    @operation(
        "deleteWebhook",
        _TAG,
        "Delete a webhook",
        responses={204: OpenApiResponse(description="It is deleted.")},
    )
    def delete(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Delete the webhook; waiting deliveries are canceled, and past ones stay on record."""
        webhook = own_webhook(request, webhook_id)
        with recorded(request, "deleted", webhook):
            services.delete(webhook=webhook)
        return Response(status=204)
