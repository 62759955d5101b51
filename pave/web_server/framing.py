"""Where a raw request ends, and the responses to what no view ever sees. Pure."""

import json
import re
from http import HTTPStatus

# A request with a larger head is refused.
HEAD_BYTES = 32 * 1024
_HEAD_END = b"\r\n\r\n"
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\ncontent-length:([^\r\n]*)", re.IGNORECASE)


class Refused(Exception):
    """A request's head is larger than ``HEAD_BYTES``, or one whose end gunicorn would not see.

    Args:
        response: What is sent.
    """

    def __init__(self, response: bytes) -> None:
        super().__init__(response)
        self.response = response


def size_of(data: bytes | bytearray, seen: int = 0) -> tuple[int, int] | None:
    """Return the sizes of a request's head and body; None while its head is incomplete.

    A length that is not valid counts as no body: gunicorn refuses such a request.

    Args:
        data: What has come of the request so far.
        seen: How much of it an earlier call has seen.

    Raises:
        Refused: No thread may have the request.
    """
    end = data.find(_HEAD_END, max(0, seen - len(_HEAD_END) + 1)) + len(_HEAD_END)
    complete = end >= len(_HEAD_END)
    head = end if complete else len(data)
    if head > HEAD_BYTES:
        raise Refused(_TOO_LARGE)
    if _BARE_LINE_FEED.search(data, seen, head):
        raise Refused(_MALFORMED)
    if not complete:
        return None
    length = _LENGTH.search(data, 0, head)
    value = length[1].strip() if length else b""
    try:
        return head, int(value) if value.isdigit() else 0
    except ValueError:  # more digits than Python takes
        return head, 0


_TEMPORARY = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.SERVICE_UNAVAILABLE}


def problem_response(status: HTTPStatus, detail: str = "") -> bytes:
    """Return a response for what no view ever sees."""
    detail = detail or f"{status.description}."
    problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}
    body = json.dumps(problem)
    again = "Retry-After: 1\r\n" if status in _TEMPORARY else ""
    return (
        f"HTTP/1.1 {status} {status.phrase}\r\nConnection: close\r\n{again}"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


TIMEOUT = problem_response(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.")
CROWDED = problem_response(
    HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests of this caller are in progress."
)
_TOO_LARGE = problem_response(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"The head may have {HEAD_BYTES:,} bytes."
)
_MALFORMED = problem_response(HTTPStatus.BAD_REQUEST, "Lines of the head end with CR and LF.")
