"""One search over all apps."""

from uuid import UUID

from django.http import HttpRequest

from pave.core.app_config import pave_apps
from pave.staff.widgets import SearchResult

MAX_LENGTH = 500


def search(request: HttpRequest, text: str) -> list[SearchResult]:
    """Return the apps' results that the request's user may see."""
    text = text.strip()[:MAX_LENGTH]
    if not text:
        return []
    results = [
        result
        for app in reversed(pave_apps())
        for result in app.search(text)
        if request.user.has_perm(result.permission)
    ]
    results.sort(key=lambda result: not result.exact)
    return results


def as_uuid(text: str) -> UUID | None:
    """Return a text as an id, or None."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None
