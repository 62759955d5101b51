"""The base of the views of clients' routes."""

from collections.abc import Collection
from contextlib import ExitStack
from typing import Any

from django.http import HttpResponseBase
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from pave.api.concurrency import GENERAL
from pave.api.throttling import limit_errors
from pave.clients.authentication import refuse_other_client
from pave.clients.models import Client


class ClientView(APIView):
    """A client's route: a body that names another client is refused before all else.

    A client has few requests answered at once in a process (``GENERAL``), but for methods that are
    ``short``: it must not hold all threads, whatever its requests wait for.
    """

    short: Collection[str] = ()

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request, within the client's concurrency limit."""
        with ExitStack() as self._slot:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the caller in, or raise what keeps it out.

        Raises:
            PermissionDenied: The body names another client than the key's.
            Throttled: The client has as many requests answered as it may at once.
            Overloaded: The limit of all clients is reached.
        """
        super().initial(request, *args, **kwargs)
        if isinstance(request.user, Client) and request.method not in self.short:
            with limit_errors():
                self._slot.enter_context(GENERAL.slot(request.user.pk))
        if request.method in SAFE_METHODS or not hasattr(self, str(request.method).lower()):
            return
        # A large body is spooled, and checked as it is read.
        if isinstance(request.user, Client) and isinstance(request.data, dict):
            refuse_other_client(request.user, request.data.get("client_id"), "body's client_id")
