"""Who may see how Pave is doing: whoever has PAVE_METRICS_TOKEN."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare


def may_monitor(request: HttpRequest) -> bool:
    """Return whether a request has the token; in development none is needed."""
    token = settings.PAVE_METRICS_TOKEN
    if not token:
        return bool(settings.DEBUG)
    return constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {token}")
