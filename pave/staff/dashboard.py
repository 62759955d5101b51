"""The home page: what needs a person now, and how things go."""

from collections.abc import Callable, Iterable

from django.core.cache import cache
from django.http import HttpRequest
from django.utils import timezone

from pave.core.app_config import pave_apps
from pave.staff.widgets import SPANS, Home, Part, Span

# Plots and rankings sum up tens of thousands of tallies. What needs a person is never remembered.
REMEMBERED_SECONDS = 15


def span_of(request: HttpRequest) -> Span:
    """Return the stretch of time that a page is asked for."""
    return SPANS.get(request.GET.get("span", ""), SPANS["hour"])


def home(request: HttpRequest) -> Home:
    """Return what every app has to tell for the span that is asked for.

    Those who may see nothing of an app are told nothing of it.
    """
    now = timezone.now()
    collected = Home()
    for app in pave_apps():
        if request.user.has_module_perms(app.label):
            for part in app.dashboard(span_of(request), now):
                collected.add(part)
    collected.attention.sort(key=lambda one: (one.level != "bad", one.since or now))
    return collected


def remembered(name: str, span: Span, make: Callable[[], Iterable[Part]]) -> list[Part]:
    """Return parts that may be a few seconds old, from the cache where they are there.

    Args:
        name: Whose they are.
        span: The stretch of time that they are about.
        make: Makes them.
    """
    key = f"home:{name}:{span.name}"
    parts: list[Part] | None = cache.get(key)
    if parts is None:
        parts = list(make())
        cache.set(key, parts, REMEMBERED_SECONDS)
    return parts
