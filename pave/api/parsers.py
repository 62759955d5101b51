"""Bodies of requests: bounded, UTF-8, strict JSON."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from pave.api.exceptions import PayloadTooLarge


def read_bounded(stream: IO[bytes], parser_context: Mapping[str, Any] | None, limit: int) -> bytes:
    """Return the body, having read no more than ``limit`` bytes and one.

    Raises:
        PayloadTooLarge: The body is longer, by its header or in truth.
    """
    request = (parser_context or {}).get("request")
    declared = str(request.META.get("CONTENT_LENGTH") or 0) if request else "0"
    body = b"" if declared.isdigit() and int(declared) > limit else stream.read(limit + 1)
    if len(body) > limit or (not body and declared.isdigit() and int(declared) > limit):
        raise PayloadTooLarge(f"The body may have {limit:,} bytes at most.")
    return body


class JSONParser(BaseParser):
    """JSON as RFC 8259 has it: UTF-8, no NaN, no trailing text, not nested without end."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value of the body.

        Raises:
            ParseError: The body is not such JSON; the message says where.
            PayloadTooLarge: The body is over ``PAVE_MAX_BODY``.
        """
        body = read_bounded(stream, parser_context, settings.PAVE_MAX_BODY)
        try:
            # A number stays as it was written: 12.10 is not 12.1, and 400 digits are no float.
            return json.loads(
                body.decode("utf-8-sig"),
                parse_float=_Number,
                parse_int=_Number,
                parse_constant=_refuse,
            )
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8: byte {error.start} is wrong.") from error
        except json.JSONDecodeError as error:
            raise ParseError(
                f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            ) from error
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error


class _Number(str):
    """A JSON number in the digits in which it came."""

    __slots__ = ()


def _refuse(name: str) -> None:
    raise ParseError(f"The body is not JSON: {name} is no number in JSON.")
