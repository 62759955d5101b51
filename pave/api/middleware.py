"""Middleware of all routes: addresses, body length, cookies, parameters, RateLimit fields."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from pave.api.body_parsers import declared_length, too_large
from pave.api.errors import problem_page
from pave.api.media_types import OTHER_CHARSET
from pave.api.throttling import recorded_limits
from pave.core.callers import callers_address

# The largest form of who is not logged in, in bytes: there is only the login's.
STRANGERS_FORM = 8 * 1024

GetResponse = Callable[[HttpRequest], HttpResponse]


class CallersAddress:
    """Takes the caller's address from X-Forwarded-For, where PAVE_TRUSTED_PROXIES wrote it."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = request.META.get("REMOTE_ADDR", "")
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
        request.META["REMOTE_ADDR"] = callers_address(peer, forwarded)
        return self._get_response(request)


class BoundedBody:
    """Refuses chunked bodies, which Django would treat as empty, and huge ones.

    It precedes the check of CSRF tokens, which reads a form to its end before any view.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_TRANSFER_ENCODING" in request.META:
            return problem_page(411, "Send the body with its Content-Length, not in chunks.")
        if declared_length(request.META) > settings.PAVE_MAX_UPLOAD:
            return problem_page(413, too_large(settings.PAVE_MAX_UPLOAD))
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *_: Any
    ) -> HttpResponse | None:
        """Refuse a form that cannot be read, and a stranger's unless it is small.

        The check of CSRF tokens parses it.

        A kilobyte of many parts costs 10 ms of CPU. The API's views know who calls before they
        read a body; they need no CSRF token.
        """
        if getattr(view, "csrf_exempt", False):
            return None
        if declared_length(request.META) > STRANGERS_FORM and not request.user.is_authenticated:
            return problem_page(413, too_large(STRANGERS_FORM))
        if request.META.get("CONTENT_TYPE", "").endswith(f"charset={OTHER_CHARSET}"):
            return problem_page(415, "The body must be UTF-8.")
        try:
            request.POST  # noqa: B018 - the form is parsed
        except (LookupError, TypeError, ValueError, OSError):
            # By a part's header, which Django does not expect, or since its sender has gone.
            return problem_page(400, "The form cannot be read.")
        return None


class PlainCookies:
    """Ignores cookies with a backslash, of which Pave sets none.

    Python before 3.11.10 and 3.12.6 takes 2 s of CPU to unquote 32 KB of them (CVE-2024-7592), and
    each route reads its cookies before anybody is known.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        cookies = request.META.get("HTTP_COOKIE", "")
        if "\\" in cookies:
            plain = [cookie for cookie in cookies.split(";") if "\\" not in cookie]
            request.META["HTTP_COOKIE"] = ";".join(plain)
        return self._get_response(request)


class FewParameters:
    """Refuses a query with more parameters than Django reads, on all routes."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        if request.META.get("QUERY_STRING", "").count("&") >= limit:
            return problem_page(400, f"The query may have {limit:,} parameters at most.")
        return self._get_response(request)


class RateLimitFields:
    """Writes the RateLimit fields if the client has a limit."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if fields := recorded_limits(request):
            response["RateLimit-Policy"] = ", ".join(
                f'"{policy}";q={quota};w={window}' for policy, quota, window, _, _ in fields
            )
            response["RateLimit"] = ", ".join(
                f'"{policy}";r={remaining};t={seconds}'
                for policy, _, _, remaining, seconds in fields
            )
        return response
