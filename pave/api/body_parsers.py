"""Parses request bodies: bounded, UTF-8, strict JSON; large ones are spooled to be streamed."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from pave.api.exceptions import BodyTimeout, Overloaded, PayloadTooLarge
from pave.api.media_types import OTHER_CHARSET

Context = Mapping[str, Any] | None
# Far more values than any body needs, but for batches. Each costs as much as a hundred bytes of
# text, and other threads wait for all of them: the interpreter's lock is held meanwhile.
MAX_VALUES = 2_000
# Far deeper than any body is nested. Where the parser itself is at the end of the stack, so is
# whatever the interpreter happens to finalize meanwhile, and fails.
MAX_DEPTH = 100
# A value within these bounds has fewer texts and brackets; no more are looked at.
_MAX_TOKENS = 5 * MAX_VALUES
# A text, or what is left of one that does not end. It matches wherever a text begins: else each
# quote of one without an end would be another beginning, each to be followed to the end.
_TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_TEXT_OR_BRACKET = re.compile(rf"{_TEXT.pattern}|[][{{}}]", re.DOTALL)
_CHUNK = 64 * 1024
# An upload up to this size is kept in memory.
_SPOOL = 1024 * 1024
# When to try an upload again for which the disk had no room.
_RETRY_SECONDS = 30


def read_bounded(stream: IO[bytes], parser_context: Context, limit: int) -> bytes:
    """Return the body, having read no more than ``limit`` bytes and one.

    Raises:
        ParseError: The body is incomplete.
        PayloadTooLarge: The body is longer, by its header or actually.
    """
    declared = _declared(parser_context, limit)
    body = _read(stream, limit + 1)
    if len(body) > limit:
        raise PayloadTooLarge(too_large(limit))
    _check_complete(len(body), declared)
    return body


class JSONParser(BaseParser):
    """JSON as RFC 8259 has it: UTF-8, no NaN, no trailing text, not nested without end."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Context = None,
    ) -> Any:
        """Return the value of the body.

        Raises:
            ParseError: The body is not valid JSON; the message says where. Or it has over
                ``MAX_VALUES`` values, or is nested deeper than ``MAX_DEPTH``.
            PayloadTooLarge: The body is over ``PAVE_MAX_BODY``.
            UnsupportedMediaType: The headers say that the body is not UTF-8.
        """
        check_encoding(media_type, parser_context)
        body = read_bounded(stream, parser_context, settings.PAVE_MAX_BODY)
        try:
            text = body.decode("utf-8-sig")
            if has_too_many_values(text):
                raise ParseError(f"The body has more than {MAX_VALUES:,} values.")
            if is_too_deep(text):
                raise ParseError(f"The body is nested over {MAX_DEPTH} levels deep.")
            # A number stays as text: 12.10 is not 12.1, and 400 digits do not fit into a float.
            return json.loads(text, parse_float=Number, parse_int=Number, parse_constant=_refuse)
        except UnicodeDecodeError as error:
            raise ParseError(f"The body is not UTF-8: byte {error.start} is wrong.") from error
        except json.JSONDecodeError as error:
            raise ParseError(
                f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            ) from error


@dataclass(frozen=True, slots=True)
class Upload:
    """A large body, spooled.

    It is read completely before it is processed, so that a slow client holds no transaction open.

    Args:
        file: The body, at its beginning.
        media_type: Its type, without parameters.
        digest: SHA-256 of the body, in hexadecimal.
    """

    file: IO[bytes]
    media_type: str
    digest: str


class UploadParser(BaseParser):
    """Spools a large body; its content is parsed later, as a stream.

    Subclasses name the media type.
    """

    def parse(  # type: ignore[override]  # it returns no mapping of fields
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Context = None,
    ) -> Upload:
        """Return the body.

        Raises:
            Overloaded: The disk has no room for it.
            ParseError: The body is incomplete.
            PayloadTooLarge: The body is over ``PAVE_MAX_UPLOAD``.
            UnsupportedMediaType: The headers say that the body is not UTF-8.
        """
        check_encoding(media_type, parser_context)
        limit = settings.PAVE_MAX_UPLOAD
        declared = _declared(parser_context, limit)
        file = SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - closed with the response
        digest = hashlib.sha256()
        size = 0
        while chunk := _read(stream, _CHUNK):
            size += len(chunk)
            if size > limit:
                raise PayloadTooLarge(too_large(limit))
            digest.update(chunk)
            try:
                file.write(chunk)
            except OSError as error:  # the disk is full
                raise Overloaded(_RETRY_SECONDS, "There is no room for uploads now.") from error
        _check_complete(size, declared)
        file.seek(0)
        return Upload(file, self.media_type, digest.hexdigest())


class Number(str):
    """A JSON number in its original digits."""

    __slots__ = ()


def has_too_many_values(text: str) -> bool:
    """Return whether a JSON text has over ``MAX_VALUES`` values, before it is parsed."""
    if _separators(text) <= MAX_VALUES:
        return False
    return _separators(_TEXT.sub("", text, count=_MAX_TOKENS)) > MAX_VALUES


def is_too_deep(text: str) -> bool:
    """Return whether a JSON text is nested deeper than ``MAX_DEPTH``, before it is parsed.

    What has more texts and brackets than a value may have counts as such.

    Args:
        text: What begins with a value; what follows on this is not looked at.
    """
    if sum(map(text.count, "[{")) <= MAX_DEPTH or text.lstrip()[:1] not in "[{":
        return False
    depth = 0
    for count, found in enumerate(_TEXT_OR_BRACKET.finditer(text)):
        if found[0] in "[{":
            depth += 1
        elif found[0] in "]}":
            depth -= 1
        if depth > MAX_DEPTH or count > _MAX_TOKENS:
            return True
        if depth <= 0:
            return False
    return False


def _separators(text: str) -> int:
    return sum(map(text.count, ",[{"))


def check_encoding(media_type: str | None, parser_context: Context) -> None:
    """Refuse a body whose headers declare another charset than UTF-8, or compression.

    Raises:
        UnsupportedMediaType: They do.
    """
    if (media_type or "").endswith(f"charset={OTHER_CHARSET}"):
        raise UnsupportedMediaType(media_type or "", "The body must be UTF-8.")
    request = (parser_context or {}).get("request")
    coding = request.META.get("HTTP_CONTENT_ENCODING", "") if request else ""
    if coding.lower() not in ("", "identity"):
        raise UnsupportedMediaType(media_type or "", "The body must come without Content-Encoding.")


def _read(stream: IO[bytes], size: int) -> bytes:
    """Return up to ``size`` bytes.

    Raises:
        BodyTimeout: The client has stopped sending, or has gone.
    """
    try:
        return stream.read(size)
    except OSError as error:  # Django's UnreadablePostError, too
        raise BodyTimeout from error


def _declared(parser_context: Context, limit: int) -> int:
    """Return the length of the body from its header.

    Raises:
        PayloadTooLarge: That is longer than ``limit``.
    """
    request = (parser_context or {}).get("request")
    declared = declared_length(request.META) if request else 0
    if declared > limit:
        raise PayloadTooLarge(too_large(limit))
    return declared


def _check_complete(size: int, declared: int) -> None:
    """Refuse an incomplete body: a list that broke off may look complete.

    Django returns what was received when a client closes the connection early.

    Raises:
        ParseError: It is incomplete.
    """
    if size < declared:
        raise ParseError(f"The body broke off: {size:,} of its {declared:,} bytes came.")


def declared_length(meta: Mapping[str, Any]) -> int:
    """Return the length of a request's body by its header; 0 if there is no such number."""
    try:
        return int(meta.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def too_large(limit: int) -> str:
    """Return the sentence for a body over ``limit`` bytes."""
    return f"The body may have {limit:,} bytes at most."


def _refuse(name: str) -> None:
    raise ParseError(f"The body is not JSON: {name} is no number in JSON.")
