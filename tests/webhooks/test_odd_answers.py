"""What the sender makes of an answer, byte by byte, as RFC 9110 and RFC 9112 have it.

Success is a complete, valid 2xx. Whatever is doubtful is a failure: a message that comes twice is
recognised by its `webhook-id`, a lost one is not. And a connection with anything doubtful on it is
not used again, so that no message is answered by what is left of another's answer.
"""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.webhooks.posting import GENEROUS_MS, OK, post
from webhooks.http import sockets
from webhooks.http.transport import ErrorClass, Transport
from webhooks.receiver.application import Message, Receiver, Reply, in_turn

FIRST, NEXT = b'{"message": 1}', b'{"message": 2}'
LENGTH = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
EMPTY = OK + b"Content-Length: 0\r\n"
# What would be taken for the next message's answer, if anything here were.
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


@dataclass(frozen=True, slots=True)
class Row:
    """An answer, and what comes of it.

    Attributes:
        status: None if there is no answer to speak of.
        error: "" for success.
        kept: whether the next message goes over the same connection.
        closes: whether the endpoint ends the connection after this answer.
    """

    name: str
    raw: bytes
    status: int | None
    error: str
    kept: bool
    closes: bool


def ok(name: str, raw: bytes, *, status: int = 200, kept: bool = True, closes: bool = False) -> Row:
    return Row(name, raw, status, "", kept, closes)


def failure(
    name: str, raw: bytes, status: int | None, error: ErrorClass, *, kept: bool = False
) -> Row:
    """A failure that is seen at once: the endpoint leaves the connection open."""
    return Row(name, raw, status, error.value, kept, False)


def refused(name: str, raw: bytes, status: int | None = None) -> Row:
    """Not valid HTTP: without a status, unless only the body is not."""
    return failure(name, raw, status, ErrorClass.HTTP)


def cut_off(name: str, raw: bytes, status: int | None = None) -> Row:
    return Row(name, raw, status, ErrorClass.RESET.value, False, True)


def length(value: bytes, body: bytes = b"hello") -> bytes:
    return OK + b"Content-Length:" + value + b"\r\n\r\n" + body


def coding(value: bytes, body: bytes = CHUNKS) -> bytes:
    return OK + b"Transfer-Encoding:" + value + b"\r\n\r\n" + body


def status_line(line: bytes) -> bytes:
    return line + b"\r\nContent-Length: 5\r\n\r\nhello"


def header(line: bytes) -> bytes:
    return OK + line + b"\r\nContent-Length: 5\r\n\r\nhello"


def headers(count: int) -> bytes:
    """An answer with so many headers in all."""
    lines = b"".join(b"X-%d: a\r\n" % number for number in range(count - 1))
    return OK + lines + b"Content-Length: 5\r\n\r\nhello"


STATUS_LINES = [
    ok("a reason of several words", status_line(b"HTTP/1.1 200 All is well")),
    ok("no reason", status_line(b"HTTP/1.1 200 ")),
    # The blank is missing, as in much that is sent; no other reading is possible (9112, 4).
    ok("no reason and no blank", status_line(b"HTTP/1.1 200")),
    ok("a reason that is not ASCII", status_line(b"HTTP/1.1 200 \xc3\xa9t\xe9")),
    ok("a later minor version", status_line(b"HTTP/1.2 200 OK")),  # 9110, 2.5
    refused("HTTP/0.9", b"<html>\r\nhello</html>"),
    refused("version 0.9", status_line(b"HTTP/0.9 200 OK")),
    refused("version 2.0", status_line(b"HTTP/2.0 200 OK")),
    refused("version 2", status_line(b"HTTP/2 200")),
    refused("version 1.10", status_line(b"HTTP/1.10 200 OK")),
    refused("version 1.x", status_line(b"HTTP/1.x 200 OK")),
    refused("a version in small letters", status_line(b"http/1.1 200 OK")),
    refused("another protocol", status_line(b"ICY 200 OK")),
    refused("status 99", status_line(b"HTTP/1.1 99 Low")),
    refused("status 099", status_line(b"HTTP/1.1 099 Low")),
    # Processed as a 5xx (9110, 15).
    failure("status 600", status_line(b"HTTP/1.1 600 High"), 600, ErrorClass.HTTP, kept=True),
    refused("status 1000", status_line(b"HTTP/1.1 1000 Higher")),
    refused("status 0200", status_line(b"HTTP/1.1 0200 OK")),
    refused("status +200", status_line(b"HTTP/1.1 +200 OK")),
    refused("status 2_00", status_line(b"HTTP/1.1 2_00 OK")),
    refused("status -200", status_line(b"HTTP/1.1 -200 OK")),
    refused("status 200.0", status_line(b"HTTP/1.1 200.0 OK")),
    refused("status OK", status_line(b"HTTP/1.1 OK")),
    refused("status 200OK", status_line(b"HTTP/1.1 200OK")),
    refused("no status", status_line(b"HTTP/1.1 ")),
    refused("a blank before it", status_line(b" HTTP/1.1 200 OK")),
    refused("two blanks in it", status_line(b"HTTP/1.1  200 OK")),
    refused("a tab in it", status_line(b"HTTP/1.1\t200\tOK")),
    refused("an empty line before it", b"\r\n" + LENGTH),
    refused("a NUL in the reason", status_line(b"HTTP/1.1 200 O\0K")),
    refused("a CR in the reason", status_line(b"HTTP/1.1 200 OK\rX-A: b")),
]

# 9112, 6.3: an invalid length makes the framing invalid, and the answer is discarded.
LENGTHS = [
    ok("a length", LENGTH),
    ok("a length of none", length(b" 0", b"")),
    ok("a length with zeros before it", length(b" 0005")),
    ok("a length between blanks", length(b" \t5 \t ")),
    ok("a length of 18 digits", length(b" %018d" % 5)),
    ok("two equal lengths", header(b"Content-Length: 5"), kept=False),
    ok("three equal lengths", header(b"Content-Length: 5\r\ncontent-length: 5"), kept=False),
    ok("a list of equal lengths", length(b" 5, 5"), kept=False),
    ok("two lists of equal lengths", header(b"Content-Length: 5 ,5"), kept=False),
    ok("a body behind which there is more", LENGTH + b", and more", kept=False),
    ok("a body behind which there is an answer", LENGTH + POISON, kept=False),
    ok("no body and an answer behind it", length(b" 0", POISON), kept=False),
    refused("unequal lengths", header(b"Content-Length: 6")),
    refused("unequal lengths, the second longer", length(b" 5\r\nContent-Length: 50")),
    refused("a list of unequal lengths", length(b" 5, 6")),
    refused("equal but for a zero", length(b" 5, 05")),
    refused("a list with an empty element", length(b" 5,")),
    refused("an empty length", length(b"")),
    refused("an empty length beside one", header(b"Content-Length:")),
    refused("a negative length", length(b" -5")),
    refused("a length with a sign", length(b" +5")),
    refused("a length with blanks in it", length(b" 5 0")),
    refused("a length with a line in it", length(b" 0_5")),
    refused("a hexadecimal length", length(b" 0x5")),
    refused("a length with a point", length(b" 5.0")),
    refused("a length in words", length(b" five")),
    refused("a length between quotes", length(b' "5"')),
    refused("a length that is not ASCII", length(b" \xb25")),
    refused("a length of 5,000 digits", length(b" " + b"1" * 5_000)),
    refused("a length of 5,000 digits, all zeros", length(b" " + b"0" * 5_000)),
    refused("an invalid length of a failure", b"HTTP/1.1 500 No\r\nContent-Length: x\r\n\r\n"),
]

# 9112, 6.1 and 6.3: anything but "chunked" alone cannot be read, or hides something.
CODINGS = [
    ok("chunked", CHUNKED + CHUNKS),
    ok("chunked in capitals", coding(b" CHUNKED")),
    ok("chunked between blanks", coding(b"\t chunked \t")),
    ok("chunked in a folded line", coding(b"\r\n chunked")),
    ok("chunked, and an answer behind it", CHUNKED + CHUNKS + POISON, kept=False),
    refused("chunked beside a length", header(b"Transfer-Encoding: chunked")),
    refused("a length beside chunked", OK + b"Content-Length: 5\r\n" + CHUNKED[17:] + CHUNKS),
    refused("gzip, chunked", coding(b" gzip, chunked")),
    refused("gzip and chunked in two lines", coding(b" gzip\r\nTransfer-Encoding: chunked")),
    refused("chunked and gzip in two lines", coding(b" chunked\r\nTransfer-Encoding: gzip")),
    refused("chunked, gzip", coding(b" chunked, gzip")),
    refused("chunked, chunked", coding(b" chunked, chunked")),
    refused("chunked in two lines", coding(b" chunked\r\nTransfer-Encoding: chunked")),
    refused("chunked with a parameter", coding(b" chunked;a=b")),
    refused("identity", coding(b" identity", b"hello")),
    refused("identity beside a length", header(b"Transfer-Encoding: identity")),
    refused("gzip", coding(b" gzip")),
    refused("xchunked", coding(b" xchunked")),
    refused("no coding", coding(b"")),
    refused("chunked in HTTP/1.0", b"HTTP/1.0" + (CHUNKED + CHUNKS)[8:]),
]

CHUNK_ROWS = [
    ok("several chunks", CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    ok("no chunk but the last", CHUNKED + b"0\r\n\r\n"),
    ok("a size in capitals", CHUNKED + b"A\r\nhellohello\r\n0\r\n\r\n"),
    ok("a size in small letters", CHUNKED + b"a\r\nhellohello\r\n0\r\n\r\n"),
    ok("sizes with zeros before them", CHUNKED + b"0005\r\nhello\r\n000\r\n\r\n"),
    ok("an extension", CHUNKED + b"5;a=b\r\nhello\r\n0;c\r\n\r\n"),
    ok("an extension between blanks", CHUNKED + b'5 ; a="b;c"\r\nhello\r\n0\r\n\r\n'),
    ok("trailers", CHUNKED + b"5\r\nhello\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n"),
    ok("a trailer with a length", CHUNKED + b"0\r\nContent-Length: 9\r\n\r\n"),
    *(
        refused(f"the chunk size {size!r}", CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n", 200)
        for size in (b"", b"-5", b"+5", b"0x5", b"0_5", b" 5", b"5 ", b"5\t", b"5 5", b"5,", b"g")
    ),
    refused("a chunk size that is not ASCII", CHUNKED + b"\xb25\r\nhello\r\n0\r\n\r\n", 200),
    refused("a chunk size of 5,000 digits", CHUNKED + b"1" * 5_000 + b"\r\n", 200),
    refused("a NUL in an extension", CHUNKED + b"5;a=\0\r\nhello\r\n0\r\n\r\n", 200),
    refused("a CR in an extension", CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n", 200),
    # A LF alone may end only the lines of a head (9112, 2.2).
    refused("a chunk size that a LF ends", CHUNKED + b"5\nhello\r\n0\r\n\r\n", 200),
    refused("a chunk that a LF ends", CHUNKED + b"5\r\nhello\n0\r\n\r\n", 200),
    refused("a last chunk that a LF ends", CHUNKED + b"5\r\nhello\r\n0\n\r\n", 200),
    refused("a chunk that no line end ends", CHUNKED + b"5\r\nhello--0\r\n\r\n", 200),
    refused("a chunk longer than its size", CHUNKED + b"3\r\nhello\r\n0\r\n\r\n", 200),
    refused("a chunk shorter than its size", CHUNKED + b"6\r\nhello\r\n0\r\n\r\n", 200),
    refused("a trailer without a colon", CHUNKED + b"0\r\nX-A\r\n\r\n", 200),
    refused("an answer in place of trailers", CHUNKED + b"0\r\n" + POISON, 200),
]

HEADERS = [
    ok("a header without a value", header(b"X-A:")),
    ok("a header without a blank", header(b"X-A:b")),
    ok("a header of the same name", header(b"X-A: b\r\nX-A: c")),
    ok("a name of odd characters", header(b"!#$%&'*+-.^_`|~09aZ: b")),
    ok("a value that is not ASCII", header(b"X-A: \xc3\xa9t\xe9 \x85 \xff")),
    # 9112, 5.2: unfolded by whoever is no server.
    ok("a folded line", header(b"X-A: b\r\n c\r\n\td")),
    ok("a folded line with a header in it", header(b"X-A: b\r\n Content-Length: 50")),
    ok("an empty folded line", header(b"X-A: b\r\n  ")),
    refused("a folded length", header(b"Content-Length: 5\r\n 0")),
    refused("a blank before the first header", header(b" X-A: b")),
    # 9112, 2.2: allowed, but whoever is in between may read it otherwise.
    ok("lines that a LF ends", LENGTH.replace(b"\r\n", b"\n"), kept=False),
    ok("a line that a LF ends", header(b"X-A: b\nX-C: d"), kept=False),
    ok("a last line that a LF ends", LENGTH.replace(b"\r\n\r\n", b"\r\n\n"), kept=False),
    refused("a CR in a value", header(b"X-A: b\rContent-Length: 0")),
    refused("two CRs at the end of a line", header(b"X-A: b\r")),
    refused("a NUL in a value", header(b"X-A: b\0c")),
    refused("a NUL in a name", header(b"X\0A: b")),
    refused("a control character in a value", header(b"X-A: b\x0bc")),
    refused("a name that is not ASCII", header(b"X-\xe9: b")),
    refused("a name with a blank in it", header(b"X A: b")),
    # 9112, 5.1.
    refused("a blank before the colon", header(b"X-A : b")),
    refused("a tab before the colon", header(b"X-A\t: b")),
    refused("a length with a blank before the colon", OK + b"Content-Length : 5\r\n\r\nhello"),
    refused("an empty name", header(b": b")),
    refused("no colon", header(b"X-A")),
    refused("a status line between headers", header(b"X-A: b\r\nHTTP/1.1 103 Early Hints")),
    ok("99 headers", headers(99)),
    failure("100 headers", headers(100), None, ErrorClass.TOO_LARGE),
    failure("1,000 headers", headers(1_000), None, ErrorClass.TOO_LARGE),
    failure("1,000 folded lines", header(b"X-A: b" + b"\r\n c" * 1000), None, ErrorClass.TOO_LARGE),
    failure("a line of 70 KB", header(b"X-A: " + b"b" * 70_000), None, ErrorClass.TOO_LARGE),
    failure("a reason of 70 KB", OK[:-2] + b"b" * 70_000, None, ErrorClass.TOO_LARGE),
]

# 9112, 6.3: these end with their head, whatever that says. But where it speaks of a body, one may
# come.
WITHOUT_BODY = [
    ok("204", b"HTTP/1.1 204 No Content\r\n\r\n", status=204),
    ok("204 of length 0", b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", status=204),
    ok("204 of a length", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", status=204, kept=False),
    ok(
        "204 of a length, and a body",
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
        status=204,
        kept=False,
    ),
    ok(
        "204 of an invalid length",
        b"HTTP/1.1 204 No\r\nContent-Length: x\r\n\r\n",
        status=204,
        kept=False,
    ),
    ok("204 and a body", b"HTTP/1.1 204 No\r\n\r\nhello", status=204, kept=False),
    ok("204 and an answer", b"HTTP/1.1 204 No\r\n\r\n" + POISON, status=204, kept=False),
    ok(
        "204 in chunks that do not come",
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
        status=204,
        kept=False,
    ),
    ok(
        "204 in chunks",
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        status=204,
        kept=False,
    ),
    failure("304", b"HTTP/1.1 304 Same\r\n\r\n", 304, ErrorClass.REDIRECT, kept=True),
    failure(
        "304 of a length",
        b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n",
        304,
        ErrorClass.REDIRECT,
    ),
    failure(
        "304 of a length, and a body",
        b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\nhello",
        304,
        ErrorClass.REDIRECT,
    ),
    failure("304 and an answer", b"HTTP/1.1 304 Same\r\n\r\n" + POISON, 304, ErrorClass.REDIRECT),
    failure(
        "304 in chunks that do not come",
        b"HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n",
        304,
        ErrorClass.REDIRECT,
    ),
    # 205 is no such status: it may not have a body, but ends as others do.
    ok("205", b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", status=205),
    ok("205 with a body", b"HTTP/1.1 205 Reset\r\nContent-Length: 5\r\n\r\nhello", status=205),
    ok("205 in chunks", b"HTTP/1.1 205 Reset" + CHUNKED[15:] + b"0\r\n\r\n", status=205),
    ok(
        "205 and an answer",
        b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n" + POISON,
        status=205,
        kept=False,
    ),
    ok("205 until the end", b"HTTP/1.1 205 Reset\r\n\r\n", status=205, kept=False, closes=True),
]

INTERIM = b"HTTP/1.1 %d Wait\r\nLink: </a>\r\n\r\n"
INTERIMS = [
    *(ok(f"{code} before it", INTERIM % code + LENGTH) for code in (100, 102, 103, 199)),
    ok("100, 102 and 103 before it", b"".join(INTERIM % one for one in (100, 102, 103)) + LENGTH),
    ok("an interim answer of a length", INTERIM[:-2] % 103 + b"Content-Length: 5\r\n\r\n" + LENGTH),
    ok("a failure behind it", INTERIM % 100 + b"HTTP/1.1 204 No\r\n\r\n", status=204),
    ok("two answers behind it", INTERIM % 100 + LENGTH + POISON, kept=False),
    refused("an invalid interim answer", b"HTTP/1.1 103 Wait\r\nX A: b\r\n\r\n" + LENGTH),
    refused("an interim answer with a body", INTERIM % 100 + b"hello" + LENGTH),
    # 9110, 15.2.2: we ask for no other protocol, and what follows is no HTTP.
    failure("101", b"HTTP/1.1 101 Switching\r\n\r\n" + LENGTH, 101, ErrorClass.HTTP),
    failure("100 and 101", INTERIM % 100 + INTERIM % 101 + LENGTH, 101, ErrorClass.HTTP),
    failure("101 in chunks", b"HTTP/1.1 101 Sw" + CHUNKED[15:] + CHUNKS, 101, ErrorClass.HTTP),
]

OLD = b"HTTP/1.0 200 OK\r\n"
PERSISTENCE = [  # 9112, 9.3
    ok("HTTP/1.0", OLD + LENGTH[17:], kept=False),
    ok("HTTP/1.0 kept alive", OLD + b"Connection: Keep-Alive\r\n" + LENGTH[17:]),
    ok("HTTP/1.0 until the end", OLD + b"\r\nhello", kept=False, closes=True),
    ok(
        "HTTP/1.0 kept alive, and until the end",
        OLD + b"Connection: keep-alive\r\n\r\nhello",
        kept=False,
        closes=True,
    ),
    ok(
        "HTTP/1.0 that says both",
        OLD + b"Connection: keep-alive, close\r\n" + LENGTH[17:],
        kept=False,
    ),
    ok("HTTP/1.1 until the end", OK + b"\r\nhello", kept=False, closes=True),
    ok("close", header(b"Connection: close"), kept=False),
    ok("close in capitals, with others", header(b"Connection: foo, CLOSE"), kept=False),
    ok("close in a second line", header(b"Connection: foo\r\nConnection: close"), kept=False),
    ok("close with chunks", OK + b"Connection: close\r\n" + CHUNKED[17:] + CHUNKS, kept=False),
    ok("close without a word", LENGTH, kept=False, closes=True),
]

CUT_OFF = [
    cut_off("nothing", b""),
    cut_off("in the status line", OK[:-3]),
    cut_off("between CR and LF", OK[:-1]),
    cut_off("behind the status line", OK),
    cut_off("in a header's name", OK + b"X-A: b\r\nContent-Le"),
    cut_off("in a length", OK + b"Content-Length: 5"),
    cut_off("behind a header", OK + b"Content-Length: 5\r\n"),
    cut_off("in the empty line", OK + b"Content-Length: 0\r\n\r"),
    cut_off("in the head of a failure", b"HTTP/1.1 410 Gone\r\nContent-Le"),
    cut_off("in an interim answer", INTERIM[:-2] % 100),
    cut_off("behind an interim answer", INTERIM % 100),
    cut_off("before a body", LENGTH[:-5], 200),
    cut_off("in a body", LENGTH[:-1], 200),
    cut_off("in an immense body", length(b" 999999999999999999"), 200),
    cut_off("before the first chunk", CHUNKED, 200),
    cut_off("in a chunk's size", CHUNKED + b"5", 200),
    cut_off("before a chunk's data", CHUNKED + b"5\r\n", 200),
    cut_off("in a chunk", CHUNKED + CHUNKS[:6], 200),
    cut_off("in an immense chunk", CHUNKED + b"FFFFFFFFFFFFFFFF\r\nhello", 200),
    cut_off("behind a chunk's data", CHUNKED + CHUNKS[:8], 200),
    cut_off("before the last chunk", CHUNKED + CHUNKS[:10], 200),
    cut_off("in the last chunk", CHUNKED + CHUNKS[:11], 200),
    cut_off("behind the last chunk", CHUNKED + CHUNKS[:13], 200),
    cut_off("in the last line", CHUNKED + CHUNKS[:14], 200),
    cut_off("in a trailer", CHUNKED + b"0\r\nX-A", 200),
    cut_off("behind a trailer", CHUNKED + b"0\r\nX-A: b\r\n", 200),
]

ROWS = [
    *STATUS_LINES,
    *LENGTHS,
    *CODINGS,
    *CHUNK_ROWS,
    *HEADERS,
    *WITHOUT_BODY,
    *INTERIMS,
    *PERSISTENCE,
    *CUT_OFF,
]
# Of what is behind an answer, any part may come later, when it cannot be told from the next one.
PIECEMEAL = [row for row in ROWS if len(row.raw) < 200 and not (row.raw.endswith(POISON))]
REFUSED = [row for row in ROWS if row.error == ErrorClass.HTTP and not row.kept]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Receiver]:
    """One receiver for all rows."""
    with Receiver() as running:
        yield running


def named(row: Row) -> str:
    return row.name


def answer_with(endpoint: Receiver, reply: Reply) -> None:
    """Have the first message answered oddly, and the next with its own body."""

    def behaviour(message: Message) -> Reply:
        return reply if message.body == FIRST else Reply(status=202, body=message.body)

    endpoint.messages.clear()
    endpoint.behaviour = behaviour


def assert_comes_out(row: Row, transport: Transport, url: str) -> None:
    """The odd answer has its outcome, and the next message gets an answer of its own."""
    outcome, following = post(transport, url, FIRST), post(transport, url, NEXT)
    assert (outcome.ok, outcome.status, outcome.error) == (not row.error, row.status, row.error)
    assert outcome.duration_ms < GENEROUS_MS  # it does not wait for what need not come
    assert (following.ok, following.status) == (True, 202)
    assert following.response_head == NEXT.decode()
    assert ("connect" not in following.timings) == row.kept


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_an_answer_is_read_as_the_rfc_has_it(
    transport: Transport, endpoint: Receiver, row: Row
) -> None:
    answer_with(endpoint, Reply(raw=[row.raw], keep_open=not row.closes))
    assert_comes_out(row, transport, endpoint.url())
    assert [message.body for message in endpoint.messages] == [FIRST, NEXT]


@pytest.mark.parametrize("row", PIECEMEAL, ids=named)
def test_an_answer_may_come_byte_by_byte(
    transport: Transport, endpoint: Receiver, row: Row
) -> None:
    pieces = [bytes([byte]) for byte in row.raw]
    answer_with(endpoint, Reply(raw=pieces, keep_open=not row.closes))
    assert_comes_out(row, transport, endpoint.url())


@pytest.mark.parametrize("row", REFUSED, ids=named)
def test_what_is_refused_becomes_no_success_when_the_connection_ends(
    transport: Transport, endpoint: Receiver, row: Row
) -> None:
    answer_with(endpoint, Reply(raw=[row.raw]))
    assert_comes_out(row, transport, endpoint.url())


# An answer before its time


@pytest.fixture
def hasty() -> Iterator[socket.socket]:
    """A server for endpoints that do not wait for a request's body."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server


def url_of(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}/"


def some(connection: socket.socket, most: int) -> bytes:
    received = connection.recv(most)
    assert received, "the sender has ended the connection"
    return received


def read_head(connection: socket.socket) -> int:
    """Read a request's head and no more of it; return the length of its body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += some(connection, 1)
    return int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


def read_body(connection: socket.socket, length: int) -> bytes:
    body = b""
    while len(body) < length:
        body += some(connection, length - len(body))
    return body


def test_an_answer_before_the_body_was_read(transport: Transport, hasty: socket.socket) -> None:
    bodies = [b"x" * 1_000_000, NEXT]
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(lambda: [post(transport, url_of(hasty), body) for body in bodies])
        connection, _ = hasty.accept()
        with connection:
            for body in bodies:
                size = read_head(connection)
                connection.sendall(length(b" %d" % len(body[:9]), body[:9]))
                assert read_body(connection, size) == body
        outcomes = posting.result(20)
    assert [outcome.ok for outcome in outcomes] == [True, True]
    assert [outcome.response_head for outcome in outcomes] == ["x" * 9, NEXT.decode()[:9]]
    assert "connect" not in outcomes[1].timings


def test_a_refusal_before_the_body_was_read(transport: Transport, hasty: socket.socket) -> None:
    """The kernel may throw it away with the connection: it is no success in any case."""
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(post, transport, url_of(hasty), b"x" * 8_000_000)
        connection, _ = hasty.accept()
        with connection:
            read_head(connection)
            connection.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        refusal = posting.result(20)
        assert (refusal.status, refusal.error) in {(413, ErrorClass.HTTP), (None, ErrorClass.RESET)}
        posting = pool.submit(post, transport, url_of(hasty), NEXT)
        connection, _ = hasty.accept()
        with connection:
            assert read_body(connection, read_head(connection)) == NEXT
            connection.sendall(LENGTH)
            outcome = posting.result(20)
    assert (outcome.ok, outcome.response_head) == (True, "hello")


# Bounds: what one endpoint may cost


def head_of(size: int, before: bytes = b"") -> bytes:
    """The head of an answer, of so many bytes with those before it."""
    head = before + EMPTY
    lines = []
    while (rest := size - len(head) - sum(map(len, lines)) - 2) > 0:
        width = rest if rest <= 2_000 else 1_000  # so that the last line has room for its name
        lines.append(b"X: " + b"a" * (width - 5) + b"\r\n")
    return head + b"".join(lines) + b"\r\n"


@pytest.mark.parametrize("before", [b"", INTERIM % 103], ids=["alone", "behind an interim answer"])
@pytest.mark.parametrize(("size", "error"), [(65_536, ""), (65_537, ErrorClass.TOO_LARGE)])
def test_a_head_may_have_64_kib(
    transport: Transport, endpoint: Receiver, size: int, error: str, before: bytes
) -> None:
    head = head_of(size, before)
    assert len(head) == size
    answer_with(endpoint, Reply(raw=[head], keep_open=True))
    row = Row("", head, None if error else 200, str(error), not error, False)
    assert_comes_out(row, transport, endpoint.url())


@pytest.mark.parametrize(("count", "error"), [(8, ""), (9, ErrorClass.TOO_LARGE)])
def test_eight_interim_answers_may_come(
    transport: Transport, endpoint: Receiver, count: int, error: str
) -> None:
    raw = b"HTTP/1.1 102 Wait\r\n\r\n" * count + LENGTH
    answer_with(endpoint, Reply(raw=[raw], keep_open=True))
    row = Row("", raw, None if error else 200, str(error), not error, False)
    assert_comes_out(row, transport, endpoint.url())


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED + (b"1;" + b"a" * 60_000 + b"\r\nx\r\n") * 5 + b"0\r\n\r\n",
        CHUNKED + b"0\r\n" + (b"X: " + b"a" * 60_000 + b"\r\n") * 5 + b"\r\n",
    ],
    ids=["extensions", "trailers"],
)
def test_every_byte_counts(transport: Transport, endpoint: Receiver, raw: bytes) -> None:
    answer_with(endpoint, Reply(raw=[raw], keep_open=True))
    row = Row("", raw, 200, ErrorClass.TOO_LARGE.value, False, False)
    assert_comes_out(row, transport, endpoint.url())


@pytest.mark.parametrize(("count", "error"), [(99, ""), (100, ErrorClass.TOO_LARGE)])
def test_as_many_trailers_may_come_as_headers(
    transport: Transport, endpoint: Receiver, count: int, error: str
) -> None:
    """60,000 short ones cost a sender as much CPU as a hundred messages."""
    raw = CHUNKED + b"0\r\n" + b"a:\r\n" * count + b"\r\n"
    answer_with(endpoint, Reply(raw=[raw], keep_open=True))
    row = Row("", raw, 200, str(error), not error, not error)
    assert_comes_out(row, transport, endpoint.url())


def test_an_answer_may_not_come_in_very_many_pieces(
    transport: Transport, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "MAX_READS", 5)
    pieces = [LENGTH[at : at + 2] for at in range(0, len(LENGTH), 2)]
    answer_with(endpoint, Reply(raw=pieces, pause=0.05))
    assert post(transport, endpoint.url(), FIRST).error == ErrorClass.TOO_LARGE


def test_what_came_on_a_connection_that_was_replaced_counts_too(
    transport: Transport, endpoint: Receiver
) -> None:
    chunks = (b"1;" + b"a" * 50_000 + b"\r\nx\r\n") * 4
    endpoint.behaviour = in_turn(
        Reply(),
        Reply(raw=[b"a" * 65_000 + b"\n"]),
        Reply(raw=[CHUNKED + chunks + b"0\r\n\r\n"]),
    )
    assert post(transport, endpoint.url()).ok
    outcome = post(transport, endpoint.url())
    assert (outcome.status, outcome.error) == (200, ErrorClass.TOO_LARGE)
