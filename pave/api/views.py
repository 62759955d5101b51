"""What the views of clients' routes have in common."""

from collections.abc import Collection
from contextlib import ExitStack
from typing import Any

from django.http import HttpResponseBase
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from pave.api.concurrency import OTHERS
from pave.api.throttling import bounded
from pave.clients.authentication import refuse_other_client
from pave.clients.models import Client


class ClientView(APIView):
    """A client's route: a body that names another client is refused before all else.

    A client has few requests answered at once in a process (``OTHERS``), but for methods that are
    ``short``: it must not hold all threads, whatever its requests wait for.
    """

    short: Collection[str] = ()

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request, in its place among the client's others."""
        with ExitStack() as self._place:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the caller in, or raise what keeps it out.

        Raises:
            PermissionDenied: The body names another client than the key's.
            Throttled: The client has as many requests answered as it may at once.
            Overloaded: Others have.
        """
        super().initial(request, *args, **kwargs)
        if isinstance(request.user, Client) and request.method not in self.short:
            with bounded():
                self._place.enter_context(OTHERS.place(request.user.pk))
        if request.method in SAFE_METHODS or not hasattr(self, str(request.method).lower()):
            return
        # A large body has been put aside, and is looked at as it is read.
        if isinstance(request.user, Client) and isinstance(request.data, dict):
            refuse_other_client(request.user, request.data.get("client_id"), "body's client_id")
