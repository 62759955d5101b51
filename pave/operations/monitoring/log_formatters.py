"""Log lines, for people and for machines.

Values cannot start a new line, and card numbers are masked, since texts of exceptions may contain
what clients sent. So may paths and queries, so the route is logged instead.
"""

import logging
import re
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from pythonjsonlogger.json import JsonFormatter

from pave.core.card_masking import holds_card_number, masked_value

# Pave's own lines: an event, then names with their values.
_EVENT = re.compile(r"[a-z_]+\.[a-z_]+(?= |\Z)")
_FIELD = re.compile(r"(?<= )([a-z_]+)=(.*?)(?= [a-z_]+=|\Z)", re.DOTALL)
# Control characters, with all line breaks of Unicode.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class RouteFilter(logging.Filter):
    """Replaces the path by the route in Django's log lines about requests.

    A 503 is Pave's own refusal, of which a client can cause thousands: a warning, not an error.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True."""
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest):
            match = request.resolver_match
            route = f"/{match.route}" if match and match.route else "a path without a route"
            path = request.path.encode("unicode_escape").decode()  # as Django logs it
            if isinstance(record.args, tuple):
                record.args = tuple(route if value == path else value for value in record.args)
            record.request = f"{request.method} {route}"
            if getattr(record, "status_code", None) == HTTPStatus.SERVICE_UNAVAILABLE:
                record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class PlainFormatter(logging.Formatter):
    """One line per record, except for tracebacks."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as logging has it
        return masked_value(super().formatException(ei))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging has it
        message = masked_value(record.message)
        record.message = _CONTROL.sub(lambda match: ascii(match[0])[1:-1], message)
        return super().formatMessage(record)


class JSONFormatter(JsonFormatter):
    """One JSON object per line: time, level, logger, message, and the message's fields."""

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
        message = record.getMessage()
        if event := _EVENT.match(message):
            log_data["event"] = event[0]
            for name, value in _FIELD.findall(message):
                log_data.setdefault(name, value)
        for name, value in log_data.items():
            if not isinstance(value, int | float) and holds_card_number(text := str(value)):
                log_data[name] = masked_value(text)
