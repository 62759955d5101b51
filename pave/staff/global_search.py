"""One search for anything that a caller may read out."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from pave.staff.widgets import Found

LONGEST = 500


def search(request: HttpRequest, text: str) -> list[Found]:
    """Return what the apps find (``PAVE_SEARCHES``) and the request's user may see."""
    text = text.strip()[:LONGEST].replace("\0", "")
    if not text:
        return []
    found = [
        one
        for path in settings.PAVE_SEARCHES
        for one in import_string(path)(text)
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
