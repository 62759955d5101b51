"""What the tests of webhooks share: a socket layer that stays on this machine."""

import ipaddress
import socket
from typing import Any

import pytest


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
    """Refuse every other connect before the kernel hears of it."""
    for name in ("connect", "connect_ex"):
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, original: Any = original) -> Any:
            if _is_outside(self.family, address):
                raise LeftTheMachine(f"connect to {address[0]}")
            return original(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)
