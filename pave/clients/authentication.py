"""Authentication by ``Authorization: Api-Key <key>``, which identifies the client."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from pave.clients import api_keys
from pave.clients.models import ApiKey, Client
from pave.core import clock
from pave.core.callers import identify_caller


class ClientRequest(Request):
    """For annotations: a request authenticated by ``ApiKeyAuthentication``."""

    client: Client


def names_other_client(claimed_id: object, client_id: str) -> bool:
    """Return whether a caller with the key of ``client_id`` names another client.

    Args:
        claimed_id: The id that it sent, of any type; None if it sent none.
        client_id: The client of its key.
    """
    return claimed_id is not None and claimed_id != client_id


def refuse_other_client(client: Client, claimed_id: object, where: str) -> None:
    """Refuse a request that names another client than its key's.

    Raises:
        PermissionDenied: It names another.
    """
    if names_other_client(claimed_id, client.client_id):
        raise PermissionDenied(f"The {where} names another client than the API key's.")


class ApiKeyAuthentication(BaseAuthentication):
    """Sets ``request.client`` (and ``request.user``) to the key's client."""

    keyword = "Api-Key"

    def authenticate(self, request: Request) -> tuple[Client, ApiKey] | None:
        """Return the client and its key; None where the header is missing or of another scheme.

        Raises:
            AuthenticationFailed: The key is wrong, revoked or expired, or its client inactive.
            PermissionDenied: The ``client-id`` header names another client.
        """
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != self.keyword.lower():
            return None
        key = api_keys.authenticate(secret.strip())
        identify_caller(request.META, f"client {key.client.pk}" if key else "")
        if key is None:
            raise AuthenticationFailed("This API key is not valid: wrong, revoked or expired.")
        refuse_other_client(key.client, request.META.get("HTTP_CLIENT_ID"), "client-id header")
        clock.synchronize()
        api_keys.record_use(key=key)
        request.client = key.client  # type: ignore[attr-defined]  # declared by ClientRequest
        return key.client, key

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that goes with a 401."""
        return f'{self.keyword} realm="Pave"'


class IsClient(BasePermission):
    """Allows requests with a valid client's key."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Return whether the caller is a client."""
        return isinstance(request.user, Client)
