"""Who calls: the address behind proxies, and for whose turn a request counts."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings

# No more addresses of an X-Forwarded-For are looked at.
MAX_PROXIES = 16

_WITH_PORT = re.compile(r"\s*(?:([\d.]+):\d+|\[([\da-fA-F:.]+)\](?::\d+)?)\s*", re.ASCII)


def identify_caller(environ: Mapping[str, Any], caller: str) -> None:
    """Tell Pave's web server who sent a request, for whose turn it then counts.

    Args:
        environ: The request's environment.
        caller: Who; "" if its key was refused.
    """
    tell = getattr(environ.get("gunicorn.socket"), "identify_caller", None)
    if tell is not None:  # other servers have no turns
        tell(caller)


def identify_staff(environ: Mapping[str, Any], user: int | None) -> None:
    """Tell Pave's web server that an account of staff sent a request.

    Args:
        environ: The request's environment.
        user: The account's primary key.
    """
    identify_caller(environ, f"staff {user}")


def callers_address(peer: str, forwarded: str) -> str:
    """Return the last address that is no trusted proxy's: those before may be made up.

    Args:
        peer: Whose connection it is.
        forwarded: X-Forwarded-For.
    """
    address = peer
    if settings.PAVE_TRUSTED_PROXIES and forwarded:
        for named in reversed(forwarded.rsplit(",", MAX_PROXIES)[-MAX_PROXIES:]):
            parsed = _as_address(named)
            if not _is_trusted(address) or parsed is None:
                break
            address = str(parsed)
    return address


def network_of(address: str | None) -> str:
    """Return what counts as one caller's address; what is no address as it is.

    Of IPv6 it is the network that one machine has.
    """
    parsed = _as_address(address or "")
    if parsed is None:
        return address or ""
    return str(ip_network((parsed, 64), strict=False)[0]) if parsed.version == 6 else str(parsed)


def _is_trusted(address: str) -> bool:
    parsed = _as_address(address)
    return parsed is not None and any(
        parsed in network for network in settings.PAVE_TRUSTED_PROXIES
    )


def _as_address(text: str) -> IPv4Address | IPv6Address | None:
    if "%" in text:  # a zone of IPv6 means something to another machine only
        return None
    with_port = _WITH_PORT.fullmatch(text)  # as some proxies write it
    try:
        address = ip_address(with_port[1] or with_port[2] if with_port else text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
