import gzip
import ipaddress
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from urllib3 import HTTPConnectionPool

from webhooks.addresses import AddressPolicy
from webhooks.receiver import Receiver, Reply, always, in_turn
from webhooks.transport import ErrorClass, Outcome, Transport

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
OK = b"HTTP/1.1 200 OK\r\n"
# Far above any deadline used here, far below what an endless answer would take.
GENEROUS_MS = 5000

Sender = Callable[..., Outcome]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def transport() -> Iterator[Transport]:
    with closing(make_transport()) as made:
        yield made


def make_transport(
    *, timeout: float = 5, networks: Any = LOOPBACK, look_up: Any = None, **options: Any
) -> Transport:
    extra = {} if look_up is None else {"look_up": look_up}
    return Transport(policy=AddressPolicy(networks, True, **extra), timeout=timeout, **options)


def post(transport: Transport, url: str, body: bytes = b"{}", **headers: str) -> Outcome:
    return transport.post(url, body=body, headers={"webhook-id": "msg_1", **headers})


def names(*addresses: str) -> Any:
    """A resolver that gives these addresses for every name, and counts how often."""

    def look_up(host: str, port: int, **kwargs: Any) -> list[tuple[Any, ...]]:
        look_up.calls += 1  # type: ignore[attr-defined]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    look_up.calls = 0  # type: ignore[attr-defined]
    return look_up


# What an endpoint answers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_success(transport: Transport, receiver: Receiver, status: int) -> None:
    receiver.behaviour = always(Reply(status=status))
    outcome = post(transport, receiver.url())
    assert (outcome.ok, outcome.status, outcome.error, outcome.detail) == (True, status, "", "")


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 502, 503, 504, 999])
def test_another_status_is_http(transport: Transport, receiver: Receiver, status: int) -> None:
    receiver.behaviour = always(Reply(status=status, headers={"Retry-After": "7"}, body=b"no"))
    outcome = post(transport, receiver.url())
    assert (outcome.ok, outcome.status, outcome.error) == (False, status, ErrorClass.HTTP)
    assert outcome.response_headers["retry-after"] == "7"
    assert outcome.response_head == "no"
    assert str(status) in outcome.detail


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_failure_and_not_followed(
    transport: Transport, receiver: Receiver, status: int
) -> None:
    receiver.behaviour = always(Reply(status=status, headers={"Location": receiver.url("/there")}))
    outcome = post(transport, receiver.url("/here"))
    assert (outcome.ok, outcome.status, outcome.error) == (False, status, ErrorClass.REDIRECT)
    assert [message.path for message in receiver.messages] == ["/here"]


def test_the_body_of_a_redirect_is_not_read_to_its_end(
    transport: Transport, receiver: Receiver
) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n"
    receiver.behaviour = always(Reply(raw=itertools.chain([head], itertools.repeat(b"x" * 8192))))
    outcome = post(transport, receiver.url())
    assert outcome.error == ErrorClass.REDIRECT
    assert outcome.duration_ms < GENEROUS_MS


def test_the_endpoint_gets_the_bytes_and_headers_as_they_are(
    transport: Transport, receiver: Receiver
) -> None:
    body = b'{"a": "\xff\x00"}'
    post(transport, receiver.url("/a//b?x=%20&y=1"), body, **{"user-agent": "Pave-Webhooks/1"})
    (message,) = receiver.messages
    assert message.body == body
    assert message.path == "/a//b?x=%20&y=1"
    assert message.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept-encoding": "identity",
        "content-length": str(len(body)),
        "webhook-id": "msg_1",
        "user-agent": "Pave-Webhooks/1",
    }


def test_a_cookie_is_neither_kept_nor_sent_back(transport: Transport, receiver: Receiver) -> None:
    receiver.behaviour = always(Reply(headers={"Set-Cookie": "session=abc"}))
    first = post(transport, receiver.url())
    post(transport, receiver.url())
    assert "cookie" not in receiver.messages[1].headers
    assert "abc" not in str(first)


def test_the_environments_proxy_is_not_used(
    transport: Transport, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert post(transport, receiver.url()).ok


# Answers that are too much, too slow, or none


def test_a_body_of_64_kib_is_read_and_4_kib_are_kept(
    transport: Transport, receiver: Receiver
) -> None:
    receiver.behaviour = in_turn(Reply(body=b"x" * 65536), Reply(body=b"\x00\xffy"))
    outcome = post(transport, receiver.url())
    assert outcome.ok
    assert outcome.response_head == "x" * 4096
    assert post(transport, receiver.url()).response_head == "\N{REPLACEMENT CHARACTER}y"


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
    ],
    ids=["content-length", "endless", "endless chunks", "endless headers", "long header"],
)
def test_too_long_an_answer_is_too_large(
    transport: Transport, receiver: Receiver, reply: Reply
) -> None:
    receiver.behaviour = always(reply)
    outcome = post(transport, receiver.url())
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TOO_LARGE)
    assert len(outcome.response_head) <= 4096
    assert outcome.duration_ms < GENEROUS_MS


def test_an_endless_body_does_not_hide_a_failing_status(
    transport: Transport, receiver: Receiver
) -> None:
    head = b"HTTP/1.1 410 Gone\r\n\r\n"
    receiver.behaviour = always(Reply(raw=itertools.chain([head], itertools.repeat(b"x" * 8192))))
    outcome = post(transport, receiver.url())
    assert (outcome.status, outcome.error) == (410, ErrorClass.HTTP)


def test_a_compressed_body_is_not_unpacked(transport: Transport, receiver: Receiver) -> None:
    bomb = gzip.compress(b"0" * 30_000_000)
    receiver.behaviour = always(Reply(headers={"Content-Encoding": "gzip"}, body=bomb))
    outcome = post(transport, receiver.url())
    assert outcome.ok
    assert "0" * 100 not in outcome.response_head


@pytest.mark.parametrize(
    "reply",
    [
        Reply(hang=True),
        Reply(raw=(bytes([one]) for one in OK + b"X-Slow: " + b"x" * 4000), pause=0.02),
        Reply(raw=itertools.chain([OK + b"\r\n"], itertools.repeat(b"x")), pause=0.02),
        Reply(raw=[OK + b"Content-Length: 5\r\n\r\nabc", b"d"], pause=60),
        Reply(raw=itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), pause=0.02),
    ],
    ids=["silence", "headers drip", "body drips", "body stalls", "endless interim answers"],
)
def test_the_deadline_ends_whatever_goes_on(receiver: Receiver, reply: Reply) -> None:
    receiver.behaviour = always(reply)
    with closing(make_transport(timeout=0.3)) as transport:
        outcome = post(transport, receiver.url())
    assert (outcome.ok, outcome.error) == (False, ErrorClass.TIMEOUT)
    assert 300 <= outcome.duration_ms < GENEROUS_MS


def test_the_deadline_holds_on_a_kept_connection(receiver: Receiver) -> None:
    receiver.behaviour = in_turn(Reply(), Reply(hang=True))
    with closing(make_transport(timeout=0.3)) as transport:
        assert post(transport, receiver.url()).ok
        outcome = post(transport, receiver.url())
    assert outcome.error == ErrorClass.TIMEOUT
    assert len(receiver.messages) == 2


def test_a_slow_failing_body_does_not_hide_its_status(receiver: Receiver) -> None:
    raw = [b"HTTP/1.1 503 Unavailable\r\nContent-Length: 9\r\n\r\nsorry", b"!"]
    receiver.behaviour = always(Reply(raw=raw, pause=60))
    with closing(make_transport(timeout=0.3)) as transport:
        outcome = post(transport, receiver.url())
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
    transport: Transport, receiver: Receiver, raw: list[bytes]
) -> None:
    receiver.behaviour = always(Reply(raw=raw))
    outcome = post(transport, receiver.url())
    assert (outcome.ok, outcome.error) == (False, ErrorClass.RESET)


def test_a_reset_connection(transport: Transport, receiver: Receiver) -> None:
    receiver.behaviour = always(Reply(reset=True))
    outcome = post(transport, receiver.url())
    assert (outcome.ok, outcome.status, outcome.error) == (False, None, ErrorClass.RESET)
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\x15\x03\x01\r\n", b"HTTP/1.1 20"])
def test_what_is_not_http_is_http_without_a_status(
    transport: Transport, receiver: Receiver, raw: bytes
) -> None:
    receiver.behaviour = always(Reply(raw=[raw]))
    outcome = post(transport, receiver.url())
    assert (outcome.ok, outcome.status, outcome.error) == (False, None, ErrorClass.HTTP)


def test_an_interim_answer_is_not_taken_for_the_next_ones(
    transport: Transport, receiver: Receiver
) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n"
    receiver.behaviour = in_turn(Reply(raw=[early]), Reply())
    assert post(transport, receiver.url()).status == 103
    assert post(transport, receiver.url()).ok


# Connections


def test_a_connection_is_kept_and_the_evidence_says_so(
    transport: Transport, receiver: Receiver
) -> None:
    first, second = post(transport, receiver.url()), post(transport, receiver.url())
    assert set(first.timings) == {"dns", "connect", "first_byte"}
    assert set(second.timings) == {"first_byte"}
    assert first.resolved_address == second.resolved_address == "127.0.0.1"
    assert first.started_at.tzinfo is not None


def test_a_kept_connection_that_died_is_replaced_without_a_failure(
    transport: Transport, receiver: Receiver
) -> None:
    receiver.behaviour = in_turn(Reply(), Reply(reset=True), Reply())
    assert post(transport, receiver.url()).ok
    assert post(transport, receiver.url()).ok
    assert len(receiver.messages) == 3


def test_a_new_connection_that_dies_is_not_tried_again(
    transport: Transport, receiver: Receiver
) -> None:
    receiver.behaviour = in_turn(Reply(reset=True), Reply())
    assert post(transport, receiver.url()).error == ErrorClass.RESET


@pytest.mark.parametrize("limit", ["MAX_AGE", "MAX_IDLE"])
def test_an_old_connection_is_not_used(
    transport: Transport, receiver: Receiver, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"webhooks.connections.{limit}", -1)
    post(transport, receiver.url())
    assert "connect" in post(transport, receiver.url()).timings


def test_a_refused_connection(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = post(transport, f"http://127.0.0.1:{port}/")
    assert (outcome.ok, outcome.error) == (False, ErrorClass.REFUSED)
    assert outcome.resolved_address == "127.0.0.1"


def test_many_threads_share_one_transport(transport: Transport, receiver: Receiver) -> None:
    bodies = [b"%d" % number for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda body: post(transport, receiver.url(), body), bodies))
    assert all(outcome.ok for outcome in outcomes)
    assert sorted(message.body for message in receiver.messages) == sorted(bodies)


def test_ipv6(transport: Transport) -> None:
    with Receiver(host="::1") as receiver:
        outcome = post(transport, receiver.url())
    assert outcome.ok
    assert outcome.resolved_address == "::1"
    assert receiver.messages[0].headers["host"] == f"[::1]:{receiver.port}"


# Names and addresses


def test_a_name_that_does_not_resolve(receiver: Receiver) -> None:
    def look_up(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with closing(make_transport(look_up=look_up)) as transport:
        outcome = post(transport, f"http://hooks.example:{receiver.port}/")
    assert (outcome.ok, outcome.error) == (False, ErrorClass.DNS)
    assert outcome.resolved_address is None


def test_a_look_up_that_takes_too_long(receiver: Receiver) -> None:
    done = threading.Event()

    def look_up(*args: Any, **kwargs: Any) -> Any:
        done.wait(10)
        return []

    with closing(make_transport(timeout=0.3, look_up=look_up)) as transport:
        outcome = post(transport, f"http://hooks.example:{receiver.port}/")
    done.set()
    assert outcome.error == ErrorClass.TIMEOUT
    assert outcome.duration_ms < GENEROUS_MS


def test_the_address_that_was_checked_is_dialled_and_looked_up_once() -> None:
    look_up = names("127.0.0.2")
    with (
        Receiver(host="127.0.0.2") as receiver,
        closing(make_transport(look_up=look_up)) as transport,
    ):
        for _ in range(3):
            outcome = post(transport, f"http://hooks.example:{receiver.port}/")
            assert outcome.ok
            assert outcome.resolved_address == "127.0.0.2"
        assert receiver.messages[0].headers["host"] == f"hooks.example:{receiver.port}"
    assert look_up.calls == 1


def test_an_international_name_and_path(receiver: Receiver) -> None:
    with closing(make_transport(look_up=names("127.0.0.1"))) as transport:
        assert post(transport, f"http://bücher.example:{receiver.port}/größe?ü=1").ok
    (message,) = receiver.messages
    assert message.headers["host"] == f"xn--bcher-kva.example:{receiver.port}"
    assert message.path == "/gr%C3%B6%C3%9Fe?%C3%BC=1"


def test_the_next_address_is_tried_when_the_first_is_dead(receiver: Receiver) -> None:
    with closing(make_transport(look_up=names("127.0.0.3", "127.0.0.1"))) as transport:
        outcome = post(transport, f"http://hooks.example:{receiver.port}/")
    assert outcome.ok
    assert outcome.resolved_address == "127.0.0.1"


def test_a_name_that_turns_to_loopback_after_the_check_gains_nothing(receiver: Receiver) -> None:
    """DNS rebinding: public when the webhook is made, loopback when it is sent to."""
    turns = iter([names("93.184.216.34"), names("127.0.0.1")])

    def look_up(*args: Any, **kwargs: Any) -> Any:
        return next(turns)(*args, **kwargs)

    url = f"http://hooks.example:{receiver.port}/"
    policy = AddressPolicy([], True, look_up)
    policy.check_resolves(url)
    with closing(Transport(policy=policy, timeout=5)) as transport:
        outcome = post(transport, url)
    assert (outcome.ok, outcome.error) == (False, ErrorClass.BLOCKED)
    assert not receiver.messages


def test_a_name_that_turns_private_between_two_posts_is_blocked(receiver: Receiver) -> None:
    receiver.behaviour = always(Reply(headers={"Connection": "close"}))
    turns = iter([names("127.0.0.1"), names("127.0.0.1", "10.0.0.1")])

    def look_up(*args: Any, **kwargs: Any) -> Any:
        return next(turns)(*args, **kwargs)

    with closing(make_transport(look_up=look_up)) as transport:
        url = f"http://hooks.example:{receiver.port}/"
        assert post(transport, url).ok
        assert post(transport, url).error == ErrorClass.BLOCKED
    assert len(receiver.messages) == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "0",
        "①②⑦.0.0.1",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
    ],
)
def test_loopback_is_blocked_in_every_spelling(host: str) -> None:
    with Receiver(host="127.0.0.1") as receiver, closing(make_transport(networks=[])) as transport:
        outcome = post(transport, f"http://{host}:{receiver.port}/")
    assert (outcome.ok, outcome.status, outcome.error) == (False, None, ErrorClass.BLOCKED)
    assert outcome.detail.endswith(".")
    assert not receiver.messages


def test_only_the_allowed_network_is_open() -> None:
    networks = [ipaddress.ip_network("127.0.0.2/32")]
    with (
        Receiver(host="127.0.0.2") as receiver,
        closing(make_transport(networks=networks)) as transport,
    ):
        assert post(transport, receiver.url()).ok
        assert post(transport, f"http://127.0.0.1:{receiver.port}/").error == ErrorClass.BLOCKED


@pytest.mark.parametrize("headers", [{"x-a": "1\r\nX-B: 2"}, {"x-a": "☕"}, {"x-a\r\nx-b": "1"}])
def test_a_header_that_cannot_be_sent_is_blocked(
    transport: Transport, receiver: Receiver, headers: dict[str, str]
) -> None:
    outcome = post(transport, receiver.url(), **headers)
    assert (outcome.ok, outcome.error) == (False, ErrorClass.BLOCKED)
    assert not receiver.messages
    assert post(transport, receiver.url()).ok


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=204),
        Reply(body=b"x" * 100),
        Reply(raw=[OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]),
    ],
)
def test_a_connection_is_given_back_with_its_answer_ended(
    receiver: Receiver, transport: Transport, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    """Else the next thread that takes it finds an answer that is not over."""
    ended = []
    put_back = HTTPConnectionPool._put_conn

    def watched(pool: HTTPConnectionPool, conn: Any) -> None:
        answer = conn._HTTPConnection__response
        ended.append(answer is None or answer.isclosed())
        put_back(pool, conn)

    monkeypatch.setattr(HTTPConnectionPool, "_put_conn", watched)
    receiver.behaviour = always(reply)
    assert post(transport, receiver.url()).ok
    assert ended == [True]
