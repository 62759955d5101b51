"""The id of the current HTTP request, for its response and for every log line.

A caller, or the proxy in front, may choose it in ``X-Request-Id``; else it is created here. Later
lines about the same transaction, in other processes, have the transaction's own id; the line
``request.accepted`` has both.
"""

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from pave.core.card_numbers.masking import holds_card_number

HEADER = "X-Request-Id"
# Other values might break a log line, or flood the log.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")

current: ContextVar[str] = ContextVar("request_id", default="")


class RequestIdMiddleware:
    """Accepts or creates the id, and returns it in the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        requested = request.headers.get(HEADER, "")
        acceptable = _ACCEPTABLE.match(requested) and not holds_card_number(requested)
        request_id = requested if acceptable else uuid4().hex
        token = current.set(request_id)
        try:
            response = self._get_response(request)
        finally:
            current.reset(token)
        response[HEADER] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Adds the id, if there is one, to each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if request_id := current.get():
            record.request_id = request_id
        return True
