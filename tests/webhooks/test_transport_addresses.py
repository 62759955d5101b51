"""Names and addresses: looked up, checked and dialled."""

import ipaddress
import socket
import threading
from contextlib import closing
from typing import Any

import pytest

from tests.webhooks.posting import GENEROUS_MS, make_transport, names, post
from webhooks.http.address_policy import AddressPolicy
from webhooks.http.transport import ErrorClass, Transport
from webhooks.receiver.application import Receiver, Reply, always


def test_a_name_that_does_not_resolve(endpoint: Receiver) -> None:
    def look_up(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with closing(make_transport(look_up=look_up)) as transport:
        outcome = post(transport, f"http://hooks.example:{endpoint.port}/")
    assert (outcome.ok, outcome.error) == (False, ErrorClass.DNS)
    assert outcome.resolved_address is None


def test_a_look_up_that_takes_too_long(endpoint: Receiver) -> None:
    done = threading.Event()

    def look_up(*args: Any, **kwargs: Any) -> Any:
        done.wait(10)
        return []

    with closing(make_transport(timeout=0.3, look_up=look_up)) as transport:
        outcome = post(transport, f"http://hooks.example:{endpoint.port}/")
    done.set()
    assert outcome.error == ErrorClass.TIMEOUT
    assert outcome.duration_ms < GENEROUS_MS


def test_the_address_that_was_checked_is_dialled_and_looked_up_once() -> None:
    look_up = names("127.0.0.2")
    with (
        Receiver(host="127.0.0.2") as endpoint,
        closing(make_transport(look_up=look_up)) as transport,
    ):
        for _ in range(3):
            outcome = post(transport, f"http://hooks.example:{endpoint.port}/")
            assert outcome.ok
            assert outcome.resolved_address == "127.0.0.2"
        assert endpoint.messages[0].headers["host"] == f"hooks.example:{endpoint.port}"
    assert look_up.calls == 1


def test_an_international_name_and_path(endpoint: Receiver) -> None:
    with closing(make_transport(look_up=names("127.0.0.1"))) as transport:
        assert post(transport, f"http://bücher.example:{endpoint.port}/größe?ü=1").ok
    (message,) = endpoint.messages
    assert message.headers["host"] == f"xn--bcher-kva.example:{endpoint.port}"
    assert message.path == "/gr%C3%B6%C3%9Fe?%C3%BC=1"


def test_the_next_address_is_tried_when_the_first_is_dead(endpoint: Receiver) -> None:
    with closing(make_transport(look_up=names("127.0.0.3", "127.0.0.1"))) as transport:
        outcome = post(transport, f"http://hooks.example:{endpoint.port}/")
    assert outcome.ok
    assert outcome.resolved_address == "127.0.0.1"


def test_a_name_that_turns_to_loopback_after_the_check_gains_nothing(endpoint: Receiver) -> None:
    """DNS rebinding: public when the webhook is made, loopback when it is sent to."""
    turns = iter([names("93.184.216.34"), names("127.0.0.1")])

    def look_up(*args: Any, **kwargs: Any) -> Any:
        return next(turns)(*args, **kwargs)

    url = f"http://hooks.example:{endpoint.port}/"
    policy = AddressPolicy([], True, look_up)
    policy.check_resolves(url)
    with closing(Transport(policy=policy, timeout=5)) as transport:
        outcome = post(transport, url)
    assert (outcome.ok, outcome.error) == (False, ErrorClass.DNS)
    assert not endpoint.messages


def test_a_name_that_turns_private_between_two_posts_is_blocked(endpoint: Receiver) -> None:
    endpoint.behaviour = always(Reply(headers={"Connection": "close"}))
    turns = iter([names("127.0.0.1"), names("127.0.0.1", "10.0.0.1")])

    def look_up(*args: Any, **kwargs: Any) -> Any:
        return next(turns)(*args, **kwargs)

    with closing(make_transport(look_up=look_up)) as transport:
        url = f"http://hooks.example:{endpoint.port}/"
        assert post(transport, url).ok
        assert post(transport, url).error == ErrorClass.DNS
    assert len(endpoint.messages) == 1


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
    with Receiver(host="127.0.0.1") as endpoint, closing(make_transport(networks=[])) as transport:
        outcome = post(transport, f"http://{host}:{endpoint.port}/")
    error = ErrorClass.DNS if host == "localhost" else ErrorClass.BLOCKED
    assert (outcome.ok, outcome.status, outcome.error) == (False, None, error)
    assert outcome.detail.endswith(".")
    assert not endpoint.messages


def test_only_the_allowed_network_is_open() -> None:
    networks = [ipaddress.ip_network("127.0.0.2/32")]
    with (
        Receiver(host="127.0.0.2") as endpoint,
        closing(make_transport(networks=networks)) as transport,
    ):
        assert post(transport, endpoint.url()).ok
        assert post(transport, f"http://127.0.0.1:{endpoint.port}/").error == ErrorClass.BLOCKED
