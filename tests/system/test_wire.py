"""What comes over the wire before any of Pave's code sees it: raw bytes to the real server."""

import json
import socket
from itertools import product
from urllib.parse import urlsplit

import pytest
import requests

from tests.system.stack import Stack

pytestmark = [pytest.mark.timeout(120), pytest.mark.stack(shared=True)]

TARGET = b"POST /normalize_merchant HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = b'{"description": "NETFLIX.COM"}'


def send(stack: Stack, request: bytes) -> list[bytes]:
    """Send bytes and return the status lines of all answers that come back."""
    answer = exchange(stack, request)
    return [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]


def exchange(stack: Stack, request: bytes) -> bytes:
    """Send bytes and return all that comes back."""
    parts = urlsplit(stack.web_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(2)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except TimeoutError:
            pass
        except ConnectionResetError:
            pass
    return answer


def headers(*lines: bytes) -> bytes:
    return TARGET + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


# Each would let a request hide behind another, or take more memory than a request may.
BAD = {
    "a length and chunks": headers(b"Content-Length: 4", b"Transfer-Encoding: chunked")
    + b"0\r\n\r\nGET /livez",
    "two lengths": headers(b"Content-Length: 4", b"Content-Length: 30") + BODY,
    "two codings": headers(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity")
    + b"0\r\n\r\n",
    "an unknown coding": headers(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "a length with a sign": headers(b"Content-Length: +30") + BODY,
    "a length in hexadecimal": headers(b"Content-Length: 0x1e") + BODY,
    "a length of too many digits": headers(b"Content-Length: " + b"0" * 4_400 + b"30") + BODY,
    "a space before the colon": headers(b"Content-Length : 30") + BODY,
    "a NUL in a name": headers(b"X-Bad\x00: 1", b"Content-Length: 30") + BODY,
    "a folded line": headers(b"Foo: bar\r\n folded", b"Content-Length: 30") + BODY,
    "a line of 64 KiB": headers(b"X-Long: " + b"x" * 65_536, b"Content-Length: 30") + BODY,
    "a thousand lines": headers(*[b"X-%d: 1" % number for number in range(1000)]) + BODY,
    "a path of 64 KiB": b"GET /" + b"x" * 65_536 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


def test_an_ambiguous_or_oversized_request_is_refused_and_nothing_after_it_is_read(
    stack: Stack,
) -> None:
    rows = "SELECT count(*) FROM merchants_normalizationrequest"
    before = stack.database.rows(rows)
    smuggled = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    for name, request in BAD.items():
        statuses = send(stack, request + smuggled)
        assert len(statuses) <= 1, (name, statuses)
        assert all(b" 4" in status or b" 501 " in status for status in statuses), (name, statuses)
    assert stack.database.rows(rows) == before


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /s3cret\r\n\r\n", 400),
        (b"<b>s3cret</b> / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /?s3cret HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (headers(b"Transfer-Encoding: s3cret"), 501),
        (headers(b"s3cret : 1"), 400),
        (b"GET /" + b"s3cret" * 2_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    ],
)
def test_what_cannot_be_parsed_gets_a_problem_and_is_repeated_nowhere(
    stack: Stack, request_: bytes, status: int
) -> None:
    head, _, body = exchange(stack, request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head.lower()
    assert json.loads(body)["status"] == status
    assert b"s3cret" not in body
    assert "s3cret" not in stack.logs()


def test_a_huge_body_is_refused_before_it_is_read(stack: Stack) -> None:
    for length in (b"99999999999", 30 * b"0" + b"99999999999"):
        head = headers(
            b"Content-Length: " + length,
            b"Cookie: csrftoken=" + 32 * b"a",
            b"Content-Type: multipart/form-data; boundary=b",
        )
        for path in (b"/normalize_merchant", b"/docs", b"/admin/login/", b"/nothing"):
            [status] = send(stack, head.replace(b"/normalize_merchant", path) + BODY)
            assert b" 413 " in status, (path, length)


ODD_TYPES = [
    b"application/json; charset*=4111111111111111''utf-8",
    b"application/json; charset*=undefined''utf-8",
    b"a/b; a*0=x; a=y; a*=z",
    b"a/b; a*" + b"1" * 4_400 + b"=x",
    b'a/b;"' + b";" * 8_000,
    b'a/b;x="' + b'\\";' * 2_600,
    b"application/json; charset=utf-8\xff",
    b"application/json" + b";" * 8_000,
    b"application/json; charset=hex",
    b"application/json; charset=idna",
    b"application/json; charset=utf-8",
    b"application/json; charset=unicode_escape",
    b'a/b; x=";charset=utf-8"; y="; ;charset=utf-8 charset=hex;"',
    b'multipart/form-data; boundary="4111111111111111 "',
    b"multipart/form-data; boundary=4111111111111111\xe9",
]
QUERIES = [b"", b"?a=4111111111111111", b"?" + 1_001 * b"&", b"?xn--" + 7_000 * b"b"]


@pytest.mark.parametrize("path", [b"/livez", b"/normalize_merchant", b"/admin/login/", b"/no"])
def test_an_odd_media_type_is_an_unknown_one(stack: Stack, path: bytes) -> None:
    for odd, query in product(ODD_TYPES, QUERIES):
        lines = (b"Content-Type: " + odd, b"Content-Length: 30", b"Connection: close")
        request = headers(*lines) + BODY
        [status] = send(stack, request.replace(b"/normalize_merchant", path + query))
        assert b" 50" not in status, (odd, query, status)
    _logged_nothing_of(stack, "4111111111111111")


def _logged_nothing_of(stack: Stack, text: str) -> None:
    logs = stack.logs()
    for words in ("Traceback", "Error handling", text):
        assert words not in logs


def test_a_strangers_refused_request_is_logged_without_its_text(stack: Stack) -> None:
    host = b"Host: 127.0.0.1\r\nConnection: close\r\n"
    forged = b"X-Forwarded-Proto: https\r\nContent-Length: 0\r\nCookie: csrftoken=" + 32 * b"a"
    for request in (
        b"POST /admin/logout/ HTTP/1.1\r\nReferer: https://a.example/?q=jane\r\n" + forged,
        b"POST /admin/logout/ HTTP/1.1\r\nOrigin: https://jane.example\r\n" + forged,
        b"GET /admin/?jane" + 4_000 * b'"' + b" HTTP/1.1",
    ):
        [status] = send(stack, request + b"\r\n" + host + b"\r\n")
        assert b" 40" in status
    _logged_nothing_of(stack, "jane")
    assert "Origin checking failed - not a trusted origin: POST /admin/logout/" in stack.logs()


def test_a_form_with_an_odd_part_is_400(stack: Stack) -> None:
    with requests.Session() as session:
        session.trust_env = False
        login = f"{stack.web_url}/admin/login/"
        session.get(login, timeout=20)
        for odd in (
            'Content-Disposition: form-data; name="q"; a*0=x; a=y; a*=z',
            'Content-Disposition: form-data; name="q"\r\nContent-Type: a/b; a*0=x; a=y; a*=z',
        ):
            answer = session.post(
                login,
                data=f"--b\r\n{odd}\r\n\r\nx\r\n--b--\r\n",
                headers={"Content-Type": "multipart/form-data; boundary=b", "Referer": login},
                timeout=20,
            )
            assert answer.status_code == 400
            assert answer.headers["Content-Type"] == "application/problem+json"


def test_no_header_moves_a_request_to_another_path(stack: Stack) -> None:
    for path, prefix, status in [(b"/x/livez", b"/x", b" 404 "), (b"/livez", b"\xe9", b" 200 ")]:
        lines = [b"Host: 127.0.0.1", b"SCRIPT_NAME: " + prefix, b"Connection: close"]
        request = b"GET " + path + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"
        [line] = send(stack, request)
        assert status in line, (path, line)


def test_an_unknown_host_gets_no_answer_of_ours(stack: Stack) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    [status] = send(stack, request)
    assert b" 400 " in status
    assert "evil.example" not in stack.logs()
