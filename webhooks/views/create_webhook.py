"""``POST /create_webhook``: the seed's route, kept for its clients."""

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError as ModelValidationError
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pave.clients.authentication import ApiKeyAuthentication
from pave.clients.models import Client
from pave.staff.authentication import StaffBasicAuthentication
from webhooks import endpoints, holding
from webhooks.models import Webhook
from webhooks.serializers import CreateWebhookSerializer


class IsClientOrStaff(BasePermission):
    """A client's key was given, or a staff member who may manage webhooks is logged in."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Return whether the caller may create webhooks at all."""
        user = request.user
        if isinstance(user, Client):
            return True
        return isinstance(user, AbstractBaseUser) and user.has_perms(
            ["webhooks.add_webhook", "clients.add_client"]
        )


class CreateWebhookView(APIView):
    """The seed's one route about webhooks."""

    authentication_classes = [
        ApiKeyAuthentication,
        SessionAuthentication,
        StaffBasicAuthentication,
    ]
    permission_classes = [IsClientOrStaff]

    def post(self, request: Request) -> Response:
        """Create the client's webhook, or change its URL if it has one.

        A client with several webhooks changes its oldest: under the seed it had no other. One
        that was disabled is enabled, since this route has no other way to say it; not so if
        staff disabled it.
        """
        serializer = CreateWebhookSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        url = serializer.validated_data["url"]
        client = _client(request, serializer.validated_data.get("client_id"))
        webhook = Webhook.objects.for_client(client).first()
        body = {"client_id": client.client_id, "url": url}
        if webhook is not None:
            endpoints.change(webhook=webhook, fields={"url": url})
            if not webhook.enabled and webhook.disabled_by != Webhook.DisabledBy.STAFF:
                holding.enable(webhook=webhook)
            return Response({**body, "webhook_id": str(webhook.pk)})
        webhook, secret = endpoints.create(client=client, url=url)
        return Response({**body, "webhook_id": str(webhook.pk), "secret": secret}, status=201)


def _client(request: Request, client_id: str | None) -> Client:
    """Return the client whose webhook is meant; staff make one that is unknown."""
    if isinstance(request.user, Client):
        if client_id not in (None, request.user.client_id):
            raise PermissionDenied("The body's client_id is another client than the API key's.")
        return request.user
    if client_id is None:
        raise ValidationError({"client_id": "Say whose webhook it is."})
    client = Client.objects.filter(client_id=client_id).first()
    if client is None:
        client = Client(client_id=client_id)
        try:
            client.full_clean()
        except ModelValidationError as error:
            raise ValidationError({"client_id": error.messages}) from error
        client.save()
    return client
