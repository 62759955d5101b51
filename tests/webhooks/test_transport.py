"""What comes of a post, by what the endpoint answers."""

import gzip
import itertools
from contextlib import closing
from unittest.mock import Mock

import pytest

from tests.webhooks.posting import GENEROUS_MS, OK, make_transport, post
from webhooks.http.transport import ErrorClass, Transport
from webhooks.receiver.application import Receiver, Reply, always, in_turn


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_success(transport: Transport, endpoint: Receiver, status: int) -> None:
    endpoint.behaviour = always(Reply(status=status))
    outcome = post(transport, endpoint.url())
    assert (outcome.ok, outcome.status, outcome.error, outcome.detail) == (True, status, "", "")


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 502, 503, 504, 999])
def test_another_status_is_http(transport: Transport, endpoint: Receiver, status: int) -> None:
    endpoint.behaviour = always(Reply(status=status, headers={"Retry-After": "7"}, body=b"no"))
    outcome = post(transport, endpoint.url())
    assert (outcome.ok, outcome.status, outcome.error) == (False, status, ErrorClass.HTTP)
    assert outcome.response_headers["retry-after"] == "7"
    assert outcome.response_head == "no"
    assert str(status) in outcome.detail


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(
    transport: Transport, endpoint: Receiver, status: int
) -> None:
    endpoint.behaviour = always(Reply(status=status, headers={"Location": endpoint.url("/there")}))
    outcome = post(transport, endpoint.url("/here"))
    assert (outcome.ok, outcome.status, outcome.error) == (False, status, ErrorClass.REDIRECT)
    assert [message.path for message in endpoint.messages] == ["/here"]


def test_the_body_of_a_redirect_is_not_read_to_its_end(
    transport: Transport, endpoint: Receiver
) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n"
    endpoint.behaviour = always(Reply(raw=itertools.chain([head], itertools.repeat(b"x" * 8192))))
    outcome = post(transport, endpoint.url())
    assert outcome.error == ErrorClass.REDIRECT
    assert outcome.duration_ms < GENEROUS_MS


def test_the_endpoint_gets_the_bytes_and_headers_as_they_are(
    transport: Transport, endpoint: Receiver
) -> None:
    body = b'{"a": "\xff\x00"}'
    post(transport, endpoint.url("/a//b?x=%20&y=1"), body, **{"user-agent": "Pave-Webhooks/1"})
    (message,) = endpoint.messages
    assert message.body == body
    assert message.path == "/a//b?x=%20&y=1"
    assert message.headers == {
        "host": f"127.0.0.1:{endpoint.port}",
        "accept-encoding": "identity",
        "content-length": str(len(body)),
        "webhook-id": "msg_1",
        "user-agent": "Pave-Webhooks/1",
    }


def test_a_cookie_is_neither_kept_nor_sent_back(transport: Transport, endpoint: Receiver) -> None:
    endpoint.behaviour = always(Reply(headers={"Set-Cookie": "session=abc"}))
    first = post(transport, endpoint.url())
    post(transport, endpoint.url())
    assert "cookie" not in endpoint.messages[1].headers
    assert "abc" not in str(first)


def test_the_environments_proxy_is_not_used(
    transport: Transport, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert post(transport, endpoint.url()).ok


# Answers that are too much, too slow, or none


def test_a_body_of_64_kib_is_read_and_4_kib_are_kept(
    transport: Transport, endpoint: Receiver
) -> None:
    endpoint.behaviour = in_turn(Reply(body=b"x" * 65536), Reply(body=b"\x00\xffy"))
    outcome = post(transport, endpoint.url())
    assert outcome.ok
    assert outcome.response_head == "x" * 4096
    assert post(transport, endpoint.url()).response_head == "\N{REPLACEMENT CHARACTER}y"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"x" * 65537),
        Reply(raw=itertools.chain([OK + b"\r\n"], itertools.repeat(b"x" * 8192))),
        Reply(
            raw=itertools.chain(
                [OK + b"Transfer-Encoding: chunked\r\n\r\n"],
                itertools.repeat(b"1000\r\n" + b"x" * 4096 + b"\r\n"),
            )
        ),
        Reply(raw=itertools.chain([OK], itertools.repeat(b"X-More: and more\r\n"))),
        Reply(raw=[OK, b"X-Long: " + b"x" * 70_000]),
        Reply(raw=itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
        Reply(
            raw=itertools.chain(
                [OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"],
                itertools.repeat(b"X-Trailer: and more\r\n" * 100),
            )
        ),
        Reply(raw=[OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 8_000]),
    ],
    ids=[
        *("content-length", "endless", "endless chunks", "endless headers", "long header"),
        *("endless interim answers", "endless trailers", "many chunks"),
    ],
)
def test_too_long_an_answer_is_too_large(
    transport: Transport, endpoint: Receiver, reply: Reply
) -> None:
    endpoint.behaviour = always(reply)
    outcome = post(transport, endpoint.url())
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TOO_LARGE)
    assert len(outcome.response_head) <= 4096
    assert outcome.duration_ms < GENEROUS_MS


def test_an_endless_body_does_not_hide_a_failing_status(
    transport: Transport, endpoint: Receiver
) -> None:
    head = b"HTTP/1.1 410 Gone\r\n\r\n"
    endpoint.behaviour = always(Reply(raw=itertools.chain([head], itertools.repeat(b"x" * 8192))))
    outcome = post(transport, endpoint.url())
    assert (outcome.status, outcome.error) == (410, ErrorClass.HTTP)


def test_a_compressed_body_is_not_unpacked(transport: Transport, endpoint: Receiver) -> None:
    bomb = gzip.compress(b"0" * 30_000_000)
    endpoint.behaviour = always(Reply(headers={"Content-Encoding": "gzip"}, body=bomb))
    outcome = post(transport, endpoint.url())
    assert outcome.ok
    assert "0" * 100 not in outcome.response_head


@pytest.mark.parametrize(
    "reply",
    [
        Reply(hang=True),
        Reply(raw=(bytes([byte]) for byte in OK + b"X-Slow: " + b"x" * 4000), pause=0.02),
        Reply(raw=itertools.chain([OK + b"\r\n"], itertools.repeat(b"x")), pause=0.02),
        Reply(raw=[OK + b"Content-Length: 5\r\n\r\nabc", b"d"], pause=60),
        Reply(raw=[b"HTTP/1.1 102 Processing\r\n\r\n"] * 5, pause=0.1),
    ],
    ids=["silence", "headers drip", "body drips", "body stalls", "interim answers drip"],
)
def test_the_deadline_ends_whatever_goes_on(endpoint: Receiver, reply: Reply) -> None:
    endpoint.behaviour = always(reply)
    with closing(make_transport(timeout=0.3)) as transport:
        outcome = post(transport, endpoint.url())
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TIMEOUT)
    assert 300 <= outcome.duration_ms < GENEROUS_MS


def test_the_deadline_holds_on_a_kept_connection(endpoint: Receiver) -> None:
    endpoint.behaviour = in_turn(Reply(), Reply(hang=True))
    with closing(make_transport(timeout=0.3)) as transport:
        assert post(transport, endpoint.url()).ok
        outcome = post(transport, endpoint.url())
    assert outcome.error == ErrorClass.TIMEOUT
    assert len(endpoint.messages) == 2


def test_a_slow_failing_body_does_not_hide_its_status(endpoint: Receiver) -> None:
    raw = [b"HTTP/1.1 503 Unavailable\r\nContent-Length: 9\r\n\r\nsorry", b"!"]
    endpoint.behaviour = always(Reply(raw=raw, pause=60))
    with closing(make_transport(timeout=0.3)) as transport:
        outcome = post(transport, endpoint.url())
    assert (outcome.status, outcome.error) == (503, ErrorClass.HTTP)
    assert outcome.response_head == "sorry"


@pytest.mark.parametrize(
    "raw",
    [
        [],
        [OK + b"Content-Length: 9\r\n\r\nabc"],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"],
    ],
    ids=["nothing", "body", "chunk"],
)
def test_an_answer_that_breaks_off_is_a_reset(
    transport: Transport, endpoint: Receiver, raw: list[bytes]
) -> None:
    endpoint.behaviour = always(Reply(raw=raw))
    outcome = post(transport, endpoint.url())
    assert (outcome.ok, outcome.error) == (False, ErrorClass.RESET)


def test_a_reset_connection(transport: Transport, endpoint: Receiver) -> None:
    endpoint.behaviour = always(Reply(reset=True))
    outcome = post(transport, endpoint.url())
    assert (outcome.ok, outcome.status, outcome.error) == (False, None, ErrorClass.RESET)
    assert len(endpoint.messages) == 1


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x15\x03\x01\r\n", b"HTTP/1.1 20"])
def test_what_is_not_http_is_http_without_a_status(
    transport: Transport, endpoint: Receiver, raw: bytes
) -> None:
    endpoint.behaviour = always(Reply(raw=[raw]))
    outcome = post(transport, endpoint.url())
    assert (outcome.ok, outcome.status, outcome.error) == (False, None, ErrorClass.HTTP)


INTERIM = b"HTTP/1.1 %d Wait\r\nLink: </a>\r\n\r\n"


@pytest.mark.parametrize("interim", [[100], [102], [103], [100, 102, 103, 103], [199]])
@pytest.mark.parametrize("status", [200, 204, 500])
def test_interim_answers_are_passed_over(
    transport: Transport, endpoint: Receiver, interim: list[int], status: int
) -> None:
    early = b"".join(INTERIM % one for one in interim)
    final = f"HTTP/1.1 {status} At last\r\nContent-Length: 0\r\n\r\n".encode()
    endpoint.behaviour = in_turn(Reply(raw=[early, final], pause=0.05), Reply(status=202))
    assert post(transport, endpoint.url()).status == status
    assert post(transport, endpoint.url()).status == 202


def test_an_answer_that_leaves_http_is_a_failure(transport: Transport, endpoint: Receiver) -> None:
    raw = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n"
    endpoint.behaviour = in_turn(Reply(raw=[raw]), Reply())
    outcome = post(transport, endpoint.url())
    assert (outcome.status, outcome.error) == (101, ErrorClass.HTTP)
    assert post(transport, endpoint.url()).ok


@pytest.mark.parametrize("left", [b"junk", b"0\r\n\r\n", b"\r\n\r\n"])
def test_bytes_behind_an_answer_without_a_body_do_not_fail_the_next(
    transport: Transport, endpoint: Receiver, left: bytes
) -> None:
    endpoint.behaviour = in_turn(
        Reply(raw=[b"HTTP/1.1 204 No Content\r\n\r\n", left], pause=0.1), Reply()
    )
    assert post(transport, endpoint.url()).status == 204
    assert post(transport, endpoint.url()).status == 200


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/a%2Fb?x=%2By&rate=100%", "/a%2Fb?x=%2By&rate=100%25"),
        ("/100%/a%2Fb", "/100%25/a%2Fb"),
        ("/?a=%zz%41", "/?a=%25zz%41"),
    ],
)
def test_what_is_encoded_in_a_url_is_not_encoded_again(
    transport: Transport, endpoint: Receiver, path: str, sent: str
) -> None:
    assert post(transport, endpoint.url(path)).ok
    assert [message.path for message in endpoint.messages] == [sent]


def test_a_fault_of_ours_is_not_put_down_to_the_webhook(
    transport: Transport, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_read", Mock(side_effect=ValueError("a bug")))
    with pytest.raises(ValueError, match="a bug"):
        post(transport, endpoint.url())


@pytest.mark.parametrize("headers", [{"x-a": "1\r\nX-B: 2"}, {"x-a": "☕"}, {"x-a\r\nx-b": "1"}])
def test_a_header_that_cannot_be_sent_is_blocked(
    transport: Transport, endpoint: Receiver, headers: dict[str, str]
) -> None:
    outcome = post(transport, endpoint.url(), **headers)
    assert (outcome.ok, outcome.error) == (False, ErrorClass.BLOCKED)
    assert not endpoint.messages
    assert post(transport, endpoint.url()).ok
