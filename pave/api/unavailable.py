"""503 when the database is unavailable, refuses connections, or takes too long."""

import logging
import sys
from collections.abc import Callable

from django import db
from django.http import HttpRequest, HttpResponse

from pave.api.errors import problem_page
from pave.operations.cluster.db_retry import DATABASE_ERRORS, first_line
from pave.operations.monitoring.log_formatters import method_of, route_of

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5


class UnavailableMiddleware:
    """Answers 503 with Retry-After if a view fails because of the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return a problem for a database error; None for others."""
        return _unavailable(request, exception) if isinstance(exception, DATABASE_ERRORS) else None


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error that no view has handled, or a middleware's (Django's ``handler500``)."""
    error = sys.exception()
    if isinstance(error, DATABASE_ERRORS):
        return _unavailable(request, error)
    return problem_page(500, "Pave failed to answer this. The error is in its log.")


def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error(
        "database.unavailable",
        extra={
            "method": method_of(request),
            "route": route_of(request),
            "error": first_line(error),
        },
    )
    # A broken connection must not be used by the next request.
    db.connection.close_if_unusable_or_obsolete()
    response = problem_page(503, "Pave's database does not answer. Try again in a moment.")
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
