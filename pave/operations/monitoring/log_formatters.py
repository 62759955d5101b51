"""Log lines, for people and for machines.

Pave's own have an event's name for message, and their fields in ``extra``; a field has no name of
``RESERVED``. A value cannot begin another line or another field, and card numbers are masked: texts
of exceptions may hold what clients sent. So may paths and queries, so the route is logged in their
place.
"""

import json
import logging
import re
import time
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.views import View
from pythonjsonlogger.core import RESERVED_ATTRS, merge_record_extra
from pythonjsonlogger.json import JsonFormatter

from pave.core.card_numbers.masking import holds_card_number, masked_value

EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
# What each line has by itself.
RESERVED = {*RESERVED_ATTRS, "taskName", "time", "level", "logger", "event", "request_id"}
# A cache that is away is logged so often, in seconds.
AWAY_SECONDS = 10.0
# Control characters, with all line breaks of Unicode, and what turns the direction of a text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# What Django's check of CSRF tokens says of an Origin or Referer.
_UNTRUSTED = re.compile(" - .* does not match any trusted origins", re.DOTALL)
# Values that need no quotes, in a line for people.
_BARE = re.compile(r"[^\s\"=\x00-\x1f\x7f-\x9f]+")


def route_of(request: HttpRequest) -> str:
    """Return the pattern that the request's path matched, for the log."""
    match = request.resolver_match
    return f"/{match.route}" if match and match.route else "a path without a route"


def method_of(request: HttpRequest) -> str:
    """Return the request's method, for the log: callers may make one up."""
    known = str(request.method).lower() in View.http_method_names
    return str(request.method) if known else "an unknown method for"


class AwayFilter(logging.Filter):
    """Makes one short line every ten seconds of what django-redis logs of a cache that is away."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether it is time for a line."""
        now = time.monotonic()
        if now < self._quiet_until:
            return False
        self._quiet_until = now + AWAY_SECONDS
        error = record.exc_info[1] if record.exc_info else None
        record.msg, record.exc_info = "cache.unavailable", None
        record.error = type(error.__cause__ if error else None).__name__
        return True


class RouteFilter(logging.Filter):
    """Replaces the path by the route in Django's log lines about requests.

    A 503 is Pave's own refusal, of which a client can cause thousands: a warning, not an error.
    What a client is to blame for needs no traceback, and no reason that repeats what it sent.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True."""
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest):
            route = route_of(request)
            path = request.path.encode("unicode_escape").decode()  # as Django logs it
            if isinstance(record.args, tuple):
                record.args = tuple(route if value == path else value for value in record.args)
            record.request = line = f"{method_of(request)} {route}"
            status = getattr(record, "status_code", HTTPStatus.INTERNAL_SERVER_ERROR)
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                record.levelno, record.levelname = logging.WARNING, "WARNING"
            elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
                record.msg, record.args = "%s: %s", (_reason(record, status), line)
                record.exc_info = None
        return True


def _reason(record: logging.LogRecord, status: int) -> str:
    """Return why a request was refused, without what it had in its headers."""
    if record.name == "django.security.csrf" and isinstance(record.args, tuple):
        return _UNTRUSTED.sub(" - not a trusted origin", str(record.args[0])).rstrip(".")
    return HTTPStatus(status).phrase


class PlainFormatter(logging.Formatter):
    """One line per record, except for tracebacks."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as logging has it
        return masked_value(super().formatException(ei))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging has it
        message = masked_value(record.message)
        if EVENT.fullmatch(message):
            fields = merge_record_extra(record, {}, reserved=RESERVED)
            message = " ".join([message, *(f"{key}={_quoted(fields[key])}" for key in fields)])
        record.message = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], message)
        return super().formatMessage(record)


class JSONFormatter(JsonFormatter):
    """One JSON object per line: time, level, logger, message, and the record's fields."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        super().add_fields(log_data, record, message_dict)
        if EVENT.fullmatch(record.getMessage()):
            log_data["event"] = record.getMessage()
        for name, value in log_data.items():
            if holds_card_number(text := str(value)):
                log_data[name] = masked_value(text)


def _quoted(value: object) -> str:
    text = masked_value(str(value))
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)
