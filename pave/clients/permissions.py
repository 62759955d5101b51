"""Permissions of the API's routes."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from pave.clients.models import Client


class IsClient(BasePermission):
    """Allows requests with a valid client's key."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Return whether the caller is a client."""
        return isinstance(request.user, Client)
