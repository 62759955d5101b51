"""Filters of the staff's pages."""

import json
from datetime import datetime
from typing import Any

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# The level of each state, for its colour.
LEVELS = {
    "good": ("succeeded", "completed", "enabled", "active", "closed", "resolved", "accepted",
             "done", "live", "ok", "current"),
    "bad": ("failed", "disabled", "open breaker", "revoked", "not seen", "failing", "stalled"),
    "warn": ("held", "half-open", "retrying", "paused", "expired", "open", "late"),
    "busy": ("queued", "processing", "pending", "delivering", "running", "waiting"),
}  # fmt: skip
_LEVEL_OF = {word: level for level, words in LEVELS.items() for word in words}


@register.filter
def pill(word: Any, level: str = "") -> SafeString:
    """Return a state as a coloured word."""
    text = str(word)
    if not text:
        return SafeString("")
    return format_html(
        '<span class="pill {}">{}</span>', level or _LEVEL_OF.get(text.lower(), "plain"), text
    )


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Return how long ago a time was, or is ahead, with the time itself as title."""
    if not moment:
        return ""
    seconds = (timezone.now() - moment).total_seconds()
    text = f"{spell(seconds)} ago" if seconds >= 0 else f"in {spell(-seconds)}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), local(moment), text
    )


@register.filter
def lasting(moment: datetime | None) -> str:
    """Return the duration since a time."""
    return spell((timezone.now() - moment).total_seconds()) if moment else ""


@register.filter
def counted(number: Any) -> str:
    """Return a count with its thousands set apart."""
    return f"{number:,}" if isinstance(number, int) else str(number)


@register.filter
def delivery_state(delivery: Any) -> SafeString:
    """Return a delivery's status; one that waits after a failure is being retried."""
    retried = delivery.status == "pending" and delivery.attempts
    return pill("retrying" if retried else delivery.status)


@register.filter
def local(moment: datetime | None) -> str:
    """Return a time in the user's zone, with its name."""
    if not moment:
        return ""
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT")


@register.filter
def duration(milliseconds: int | None) -> str:
    """Return a duration given in milliseconds."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    return f"{milliseconds / 1000:.3g} s" if milliseconds < 120_000 else spell(milliseconds / 1000)


@register.filter
def pretty(value: Any) -> str:
    """Return JSON, parsed or not, indented; other text as it is."""
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def spell(seconds: float) -> str:
    """Return a stretch of time in its largest unit or two."""
    if seconds < 1:
        return "a moment"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 86_400:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{seconds / 86_400:.0f} days" if seconds >= 129_600 else "1 day"
