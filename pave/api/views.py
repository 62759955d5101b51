"""What the views of clients' routes have in common."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from pave.clients.authentication import refuse_stranger
from pave.clients.models import Client


class ClientView(APIView):
    """A client's route: a body that names another client is refused before all else."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the caller in, or raise what keeps it out.

        Raises:
            PermissionDenied: The body names another client than the key's.
        """
        super().initial(request, *args, **kwargs)
        if request.method in SAFE_METHODS or not hasattr(self, str(request.method).lower()):
            return
        # A large body has been put aside, and is looked at as it is read.
        if isinstance(request.user, Client) and isinstance(request.data, dict):
            refuse_stranger(request.user, request.data.get("client_id"), "body's client_id")
