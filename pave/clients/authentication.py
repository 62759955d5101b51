"""``Authorization: Api-Key <key>`` names the client."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from pave.clients import api_keys
from pave.clients.models import ApiKey, Client


class ClientRequest(Request):
    """For annotations: a request that ``ApiKeyAuthentication`` has let in."""

    client: Client


def names_another(named: object, client_id: str) -> bool:
    """Return whether a caller with the key of ``client_id`` has named anybody else.

    Args:
        named: What it sent, of whatever type; None where it sent nothing.
        client_id: Whose key it is.
    """
    return named is not None and named != client_id


def refuse_stranger(client: Client, named: object, where: str) -> None:
    """Refuse a request that names another client than its key's.

    Raises:
        PermissionDenied: It does.
    """
    if names_another(named, client.client_id):
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
        if key is None:
            raise AuthenticationFailed("This API key is not valid: wrong, revoked or expired.")
        refuse_stranger(key.client, request.META.get("HTTP_CLIENT_ID"), "client-id header")
        api_keys.note_use(key=key)
        request.client = key.client  # type: ignore[attr-defined]
        return key.client, key

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that goes with a 401."""
        return f'{self.keyword} realm="Pave"'
