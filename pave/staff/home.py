"""The home page: what needs a person now, and how things go."""

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from pave.staff.parts import SPANS, Home, Span


def span_of(request: HttpRequest) -> Span:
    """Return the stretch of time that a page is asked for."""
    return SPANS.get(request.GET.get("span", ""), SPANS["hour"])


def home(request: HttpRequest) -> Home:
    """Return what every app has to tell (``PAVE_HOME``) for the span that is asked for."""
    now = timezone.now()
    collected = Home()
    for path in settings.PAVE_HOME:
        for part in import_string(path)(span_of(request), now):
            collected.add(part)
    collected.attention.sort(key=lambda one: (one.level != "bad", one.since or now))
    return collected
