"""``POST /create_webhook``: the seed's route, kept for its clients."""

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import transaction
from drf_spectacular.utils import OpenApiResponse
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from pave.api.openapi.schema import operation
from pave.api.views import ClientView
from pave.clients.authentication import ApiKeyAuthentication
from pave.clients.models import Client
from pave.core.callers import identify_staff
from pave.staff import audit
from webhooks.api.representations import CreatedWebhookSerializer
from webhooks.api.serializers import CreateWebhookSerializer
from webhooks.api.views.webhooks import look_up_context, record, validated
from webhooks.endpoints import services
from webhooks.models import Webhook


class IsClientOrStaff(BasePermission):
    """Allows clients with a key, and staff who may manage webhooks."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Return whether the caller may create webhooks."""
        user = request.user
        if isinstance(user, Client):
            return True
        return (
            isinstance(user, AbstractUser)
            and user.is_staff
            and user.has_perms(
                ["webhooks.add_webhook", "webhooks.change_webhook", "clients.add_client"]
            )
        )


class CreateWebhookView(ClientView):
    """The seed's route for webhooks."""

    # No passwords, since anybody could send them and checking one takes a third of a second of CPU.
    authentication_classes = [ApiKeyAuthentication, SessionAuthentication]
    permission_classes = [IsClientOrStaff]

    @operation(
        "createWebhookOfFirstVersion",
        "Kept from the first version",
        "Create the client's webhook, or change its URL",
        description="Kept for clients of Pave's first version; new ones use `POST /v1/webhooks`.",
        request=CreateWebhookSerializer,
        responses={
            200: OpenApiResponse(CreatedWebhookSerializer, "Its URL is changed."),
            201: OpenApiResponse(CreatedWebhookSerializer, "It is created."),
        },
    )
    def post(self, request: Request) -> Response:
        """Create the client's webhook, or change its URL if it has one.

        A client with several webhooks changes its oldest: under the seed it had no other.
        """
        if isinstance(request.user, AbstractUser):
            identify_staff(request.META, request.user.pk)
        data = request.data
        fields = validated(CreateWebhookSerializer(data=data, context=look_up_context(request)))
        if isinstance(request.user, Client):
            client = request.user
        else:
            client = _client(request, fields.get("client_id"))
        webhook, secret = _create_or_change(request, client, fields["url"])
        body = {"client_id": client.client_id, "url": webhook.url, "webhook_id": str(webhook.pk)}
        if secret is None:
            return Response(body)
        return Response({**body, "secret": secret}, status=201)


def _create_or_change(request: Request, client: Client, url: str) -> tuple[Webhook, str | None]:
    """Do what the client or staff ask for, and put it on record."""
    with transaction.atomic():
        services.lock(client)
        first = Webhook.objects.for_client(client).first()
        oldest = services.lock_existing(first) if first is not None else None
        webhook, secret = services.create_or_change(client=client, url=url)
        webhook.refresh_from_db()
        changed = oldest is not None and oldest.pk == webhook.pk
        before = audit.snapshot(oldest) if oldest is not None and changed else {}
        action = "changed by /create_webhook" if changed else "created by /create_webhook"
        if isinstance(request.user, Client):
            record(request, action, webhook, before)
        else:
            changes = audit.differences(before, audit.snapshot(webhook))
            audit.record(request._request, action=action, obj=webhook, changes=changes)
    return webhook, secret


def _client(request: Request, client_id: str | None) -> Client:
    """Return the client that staff mean; an unknown one is created."""
    if client_id is None:
        raise ValidationError({"client_id": "Name the client of the webhook."})
    try:
        Client(client_id=client_id).clean_fields()
    except ModelValidationError as error:
        raise ValidationError({"client_id": error.messages}) from error
    with transaction.atomic():
        client, created = Client.objects.get_or_create(client_id=client_id)
        if created:
            audit.record(request._request, action="created by /create_webhook", obj=client)
    return client
