"""One search for anything that a caller may read out."""

from uuid import UUID

from django.http import HttpRequest

from pave.core.app_config import pave_apps
from pave.staff.widgets import Found

LONGEST = 500


def search(request: HttpRequest, text: str) -> list[Found]:
    """Return what the apps find and the request's user may see."""
    text = text.strip()[:LONGEST].replace("\0", "")
    if not text:
        return []
    found = [
        one
        for app in reversed(pave_apps())
        for one in app.search(text)
        if request.user.has_perm(one.permission)
    ]
    found.sort(key=lambda one: not one.exact)
    return found


def as_uuid(text: str) -> UUID | None:
    """Return the id that a text is, if it is one."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None
