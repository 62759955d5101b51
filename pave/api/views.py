"""The base of the views of clients' routes."""

from collections.abc import Collection
from contextlib import ExitStack
from typing import Any

from django.http import HttpResponseBase
from django.views import View
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from pave.api.throttling import limit_errors
from pave.clients.authentication import refuse_other_client
from pave.clients.models import Client
from pave.core.concurrency import ConcurrencyLimit, hold_until_sent

# All requests of clients that may take long: a list, a count, or a change that waits for a lock
# holds its thread for a while.
GENERAL = ConcurrencyLimit(
    limit=8,
    per_client=3,
    busy="Three other requests of yours are being answered. Send this one when one of them is.",
    full="Too many requests are being answered. Try again in a moment.",
)

# REST framework's OPTIONS would show docstrings.
METHODS = [method for method in View.http_method_names if method != "options"]


class ClientView(APIView):
    """A route for clients: a body that names another client is refused first.

    A client may have few concurrent requests in a process (``GENERAL``), except for ``short``
    methods: it must not hold all threads, whatever its requests wait for.
    """

    http_method_names = METHODS
    short: Collection[str] = ()
    # Methods with a body that is read only when the request has a place among others of its kind.
    uploads: Collection[str] = ()

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request, within the client's concurrency limit."""
        with ExitStack() as self._slot:
            response = super().dispatch(request, *args, **kwargs)
            if not response.streaming:  # a download has a limit of its own
                hold_until_sent(response, self._slot)
            return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the caller before its request is handled.

        Raises:
            PermissionDenied: The body names another client than the key's.
            LimitExceeded: The client has reached its limit of concurrent requests.
            Overloaded: The limit of all clients is reached.
        """
        super().initial(request, *args, **kwargs)
        method = str(request.method)
        uploads = method in self.uploads
        if isinstance(request.user, Client) and not uploads and method not in self.short:
            with limit_errors():
                self._slot.enter_context(GENERAL.slot(request.user.pk))
        if uploads or method in SAFE_METHODS or not hasattr(self, method.lower()):
            return
        # A large body is spooled, and checked as it is read.
        if isinstance(request.user, Client) and isinstance(request.data, dict):
            refuse_other_client(request.user, request.data.get("client_id"), "body's client_id")
