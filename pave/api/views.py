"""What the views of clients' routes have in common."""

from typing import Any

from rest_framework.request import Request
from rest_framework.views import APIView

from pave.clients.authentication import refuse_stranger
from pave.clients.models import Client


class ClientView(APIView):
    """A route that reads a body: one that names another client is refused before all else."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the caller in, or raise what keeps it out.

        Raises:
            PermissionDenied: The body names another client than the key's.
        """
        super().initial(request, *args, **kwargs)
        method = str(request.method).lower()
        if method not in ("post", "put", "patch") or not hasattr(self, method):
            return
        # A large body has been put aside, and is looked at as it is read.
        if isinstance(request.user, Client) and isinstance(request.data, dict):
            refuse_stranger(request.user, request.data.get("client_id"), "body's client_id")
