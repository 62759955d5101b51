"""Fixtures of the webhook tests; no socket connects to anything but loopback."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.webhooks.posting import make_transport
from webhooks.http.transport import Transport
from webhooks.receiver.application import Receiver


class LeftTheMachine(AssertionError):
    """A test tried to connect to an address that is not loopback."""


def _is_outside(family: int, address: Any) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return False
    try:
        return not ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] != "localhost"


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every other connect before it reaches the kernel."""
    for name in ("connect", "connect_ex"):
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, original: Any = original) -> Any:
            if _is_outside(self.family, address):
                raise LeftTheMachine(f"connect to {address[0]}")
            return original(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)


# Models can be imported once Django is set up, which it is not yet when this file is read.


@pytest.fixture
def deliver(webhook: Any) -> Callable[..., Any]:
    """Make a delivery that is due, to the webhook or another one."""
    from tests.factories import DeliveryFactory, EventFactory

    def deliver(to: Any = webhook, **fields: Any) -> Any:
        return DeliveryFactory(webhook=to, event=EventFactory(client=to.client), **fields)

    return deliver


@pytest.fixture
def transport() -> Iterator[Transport]:
    """A transport that may post to this machine."""
    with closing(make_transport()) as transport:
        yield transport


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    """A receiver that accepts everything, signed or not."""
    with Receiver() as running:
        yield running
