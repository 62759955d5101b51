"""Who may use a route."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from pave.clients.models import Client


class IsClient(BasePermission):
    """A client's key was given."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Return whether the caller is a client."""
        return isinstance(request.user, Client)
