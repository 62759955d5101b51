"""Reading one answer: Python's own reader, made strict.

`http.client` takes much that RFC 9112 calls invalid, and guesses what was meant: a head that is cut
off, `Content-Length: -5`, any two bytes for the end of a chunk. A message would count as delivered
by an answer that is not complete, or is another one's. Here whatever is doubtful is a failure. The
few things that are allowed, but may be read otherwise by whoever is in between, end the connection.
"""

import io
import re
from contextlib import suppress
from http import HTTPStatus
from http.client import (
    BadStatusLine,
    HTTPException,
    HTTPResponse,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Any

from webhooks.http.outcome import TooLarge
from webhooks.http.sockets import DeadlineSocket, TLSOverDeadlineSocket

# Bytes of the head of an answer, interim ones before it and trailers included, and of one other
# line.
MAX_HEAD = 64 * 1024
# Lines of one head, or of the trailers, the empty one at its end included; Python's own limit.
MAX_LINES = 100
# Interim answers before the final one; nobody needs more than a few.
MAX_INTERIM = 8

# RFC 9112, 4. The reason may be missing, and its blank; no other reading is possible then.
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] [1-9][0-9]{2}(?: [^\0\r\n]*)?")
# RFC 9110, 5.1 and 5.5.
_FIELD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")
_LENGTH = re.compile(r"[0-9]{1,18}")
# RFC 9112, 7.1.
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_WITHOUT_BODY = frozenset(
    {HTTPStatus.SWITCHING_PROTOCOLS, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
)


class Answer(HTTPResponse):
    """The final answer to a request.

    Interim ones are passed over, where Python's own reader does so for 100 alone. Only 101 is
    left: after it nothing more comes that is HTTP (RFC 9110, 15.2.2).
    """

    fp: Any
    chunk_left: int | None

    def __init__(
        self, sock: DeadlineSocket | TLSOverDeadlineSocket, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(sock, *args, **kwargs)  # type: ignore[arg-type]  # TLS is no socket
        self._exchange = sock.exchange
        self._head_size = 0
        self._ends = False  # whether the connection ends with this answer

    def begin(self, **options: Any) -> None:
        for _ in range(MAX_INTERIM + 1):
            head = self._read_head()
            status = int(head[9:12])
            if status >= 200 or status == HTTPStatus.SWITCHING_PROTOCOLS:
                break
        else:
            raise TooLarge
        fp, self.fp = self.fp, io.BytesIO(head)
        try:
            super().begin(**options)
        finally:
            self.fp = fp
        self._check_framing()

    def _read_head(self) -> bytes:
        """A status line and its headers, each in one line.

        Raises:
            BadStatusLine: it is not the beginning of an answer.
            HTTPException: it is no valid head, or ends in the midst of it.
            TooLarge: it is longer than the limits.
        """
        try:
            line = self._head_line()
        except IncompleteRead as cut:
            if not cut.partial or _STATUS_LINE.match(cut.partial):
                raise
            line = cut.partial
        if not _STATUS_LINE.fullmatch(line):
            raise BadStatusLine(repr(line))
        lines = [line]
        for _ in range(MAX_LINES):
            line = self._head_line()
            if not line:
                break
            if line[:1] in b" \t" and len(lines) > 1:  # folded (RFC 9112, 5.2)
                lines[-1] += b" " + line.strip(b" \t")
            else:
                lines.append(line.rstrip(b" \t"))
        else:
            raise TooLarge
        if not all(map(_FIELD.fullmatch, lines[1:])):
            raise HTTPException("an invalid header")
        return b"\r\n".join([*lines, b"", b""])

    def _head_line(self) -> bytes:
        line = self._line(MAX_HEAD - self._head_size)
        self._head_size += len(line)
        if line.endswith(b"\r\n"):
            return line[:-2]
        self._ends = True  # allowed by RFC 9112, 2.2
        return line[:-1]

    def _line(self, limit: int = MAX_HEAD) -> bytes:
        line: bytes = self.fp.readline(limit + 1)
        if len(line) > limit:
            raise TooLarge
        if not line.endswith(b"\n"):
            if self._head_size or line:
                raise IncompleteRead(line)
            raise RemoteDisconnected("no answer")
        return line

    def _check_framing(self) -> None:
        """Find out where the answer ends, and whether the connection does (RFC 9112, 6.3 and 9.3).

        Raises:
            HTTPException: that is not certain.
        """
        codings = self.headers.get_all("transfer-encoding", [])
        lengths = self.headers.get_all("content-length", [])
        connection = ",".join(self.headers.get_all("connection", []))
        if self.status in _WITHOUT_BODY:
            self.chunked = False
            self._ends |= bool(codings) or any(length != "0" for length in lengths)
        elif codings:
            # With a length beside it, or in HTTP/1.0, it was meant to be read otherwise.
            if ",".join(codings).lower() != "chunked" or lengths or self.version < 11:
                raise HTTPException("an unknown transfer coding")
        elif lengths:
            values = {value.strip(" \t") for value in ",".join(lengths).split(",")}
            length = values.pop()
            if values or not _LENGTH.fullmatch(length):
                raise HTTPException("an invalid length")
            self.length = int(length)
            self._ends |= len(lengths) > 1
        self.will_close |= self._ends or "close" in connection.lower()

    def _get_chunk_left(self) -> int | None:
        if self.chunk_left == 0:  # at the end of a chunk, where Python's own skips two bytes
            if self._safe_read(2) != b"\r\n":  # type: ignore[attr-defined]  # not in typeshed
                raise HTTPException("a bad end of a chunk")
            self.chunk_left = None
        left: int | None = super()._get_chunk_left()  # type: ignore[misc]  # not in typeshed
        return left

    def _read_next_chunk_size(self) -> int:
        size = _CHUNK_SIZE.fullmatch(self._line())
        if size is None:
            raise HTTPException("a bad chunk size")
        return int(size[1], 16)

    def _read_and_discard_trailer(self) -> None:
        for _ in range(MAX_LINES):
            line = self._head_line()
            if not line:
                return
            if not _FIELD.fullmatch(line):
                raise HTTPException("an invalid trailer")
        raise TooLarge

    def _close_conn(self) -> None:
        # What is behind an answer must not become the next one's (RFC 9112, 6.3).
        self._exchange.ended = True  # nothing more is read: `peek` would wait for it
        with suppress(OSError):  # it timed out
            self._exchange.left_over = bool(self.fp.peek(1))
        super()._close_conn()  # type: ignore[misc]  # not in typeshed
