"""The home page: what needs attention now, and figures of a span."""

from collections.abc import Callable, Iterable

from django.core.cache import caches
from django.http import HttpRequest
from django.utils import timezone

from pave.core.app_config import pave_apps
from pave.staff.widgets import SPANS, Home, Part, Span

# Plots and rankings sum up tens of thousands of tallies. What needs attention is not cached.
CACHE_SECONDS = 15


def span_of(request: HttpRequest) -> Span:
    """Return the span of time that a request asks for."""
    return SPANS.get(request.GET.get("span", ""), SPANS["hour"])


def home(request: HttpRequest) -> Home:
    """Return the parts of every app for the requested span.

    Apps that the user may not see are left out.
    """
    now = timezone.now()
    collected = Home()
    for app in pave_apps():
        if request.user.has_module_perms(app.label):
            for part in app.dashboard(span_of(request), now):
                collected.add(part)
    collected.attention.sort(key=lambda item: (item.level != "bad", item.since or now))
    return collected


def cached_parts(name: str, span: Span, make: Callable[[], Iterable[Part]]) -> list[Part]:
    """Return parts that may be a few seconds old, from this process's cache if possible.

    Args:
        name: Part of the cache key.
        span: Their span of time.
        make: Creates them.
    """
    cache = caches["process"]
    key = f"home:{name}:{span.name}"
    parts: list[Part] | None = cache.get(key)
    if parts is None:
        parts = list(make())
        cache.set(key, parts, CACHE_SECONDS)
    return parts
