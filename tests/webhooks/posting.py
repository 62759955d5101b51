"""Helpers for posting with a transport."""

import ipaddress
import socket
from typing import Any

from webhooks.http.address_policy import AddressPolicy
from webhooks.http.transport import Outcome, Transport

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
OK = b"HTTP/1.1 200 OK\r\n"
# Far above any deadline used here, far below what an endless response would take.
GENEROUS_MS = 5000


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
        look_up.calls += 1  # type: ignore[attr-defined]  # counted on the function
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    look_up.calls = 0  # type: ignore[attr-defined]  # counted on the function
    return look_up
