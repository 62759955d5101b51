"""Which URLs and addresses a webhook may use: the guard against requests into private networks.

Pure but for the name look-up, which is passed in. It stands on `requests_hardened` for the ranges
that Python's `ipaddress` still calls public. Where that library checks the first address of a
name, every one is checked here: a name that answers with one public and one private address is
refused. A look-up is made once per connection and its result is dialled, so a name that
changes between the check and the dial ("DNS rebinding") gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from urllib.parse import SplitResult, urlsplit

import idna
from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES

MAX_URL_LENGTH = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}
# Below are the services of a host itself, such as mail, which a request might be misread by.
_FIRST_FREE_PORT = 1024

# The only IPv6 range ever handed out as public unicast (IANA, RFC 4291 section 2.4). Outside it
# lie the IPv4-compatible and NAT64 forms, which hide an IPv4 address from a naive check.
_PUBLIC_IPV6 = IPv6Network("2000::/3")

# Registered as public, but never an endpoint.
_NEVER_AN_ENDPOINT: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("168.63.129.16/32"),  # each Azure machine's own host: keys, configuration, DNS
    # What other clouds route to services of theirs, and the Internet does not (their documents on
    # private access): IBM's services and service endpoints; Google's interfaces, and its DNS.
    IPv4Network("161.26.0.0/16"),
    IPv4Network("166.8.0.0/14"),
    IPv4Network("199.36.153.4/30"),
    IPv4Network("199.36.153.8/30"),
    IPv6Network("2600:2d00:2:1000::/56"),
    IPv6Network("2600:2d00:2:2000::/56"),
    IPv4Network("34.126.0.0/18"),
    IPv6Network("2001:4860:8040::/42"),
    IPv4Network("35.199.192.0/19"),
    IPv4Network("192.31.196.0/24"),  # AS112 (RFC 7535): the nearest server of an anycast
    IPv4Network("192.175.48.0/24"),  # AS112 (RFC 7534)
    IPv6Network("2001:4:112::/48"),
    IPv6Network("2620:4f:8000::/48"),
    IPv4Network("192.52.193.0/24"),  # AMT relays (RFC 7450), anycast as well
)
# The second half of an address that a router takes out of a tunnel as the IPv4 address at its end
# (ISATAP, RFC 5214 section 6.1): with and without the bit for unique ones.
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})

# `socket.getaddrinfo`, or a stand-in with its signature and results.
LookUp = Callable[..., Sequence[tuple[Any, ...]]]


class AddressError(ValueError):
    """A webhook may not use this URL; the message is one sentence for the client."""


class Blocked(AddressError):
    """The host is an address that may not be dialled."""


class Unresolved(AddressError):
    """The host name leads nowhere at present, or to an address that may not be dialled.

    Which of the two is not said: a client must not be able to ask which names our own network has.
    """


@dataclass(frozen=True, slots=True)
class Resolved:
    """The checked addresses of one look-up, in the order in which to try them.

    Each is the socket family and the socket address as `getaddrinfo` gave it: numeric, so nothing
    is looked up again when it is dialled.
    """

    targets: tuple[tuple[int, tuple[Any, ...]], ...]

    @property
    def address(self) -> str:
        """The address that is dialled first."""
        return str(self.targets[0][1][0])


def _system_look_up(*args: Any, **kwargs: Any) -> Sequence[tuple[Any, ...]]:
    # Not `socket.getaddrinfo` itself: looked up at each call, so that it can be replaced.
    return socket.getaddrinfo(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The rules of one installation.

    Args:
        allowed_networks: networks that may be dialled though they are not public.
        allow_http: whether plain ``http://`` may be used beside ``https://``.
        look_up: how names are resolved; the system's resolver unless a test says otherwise.
    """

    allowed_networks: Sequence[IPv4Network | IPv6Network] = ()
    allow_http: bool = False
    look_up: LookUp = _system_look_up

    def check_url(self, url: str) -> None:
        """Refuse a URL for what can be seen without a look-up.

        Raises:
            AddressError: with the reason; `Blocked` if the host is an address not to be dialled.
        """
        parts = _split(url)
        if parts.scheme not in DEFAULT_PORTS:
            raise AddressError("The URL must begin with https:// or http://.")
        if parts.scheme == "http" and not self.allow_http:
            raise AddressError("The URL must begin with https://; plain http is not allowed here.")
        if "@" in parts.netloc:
            raise AddressError("The URL must not contain a user name or password.")
        if parts.fragment or url.endswith("#"):
            raise AddressError("The URL must not have a fragment (#…): it is never sent.")
        port_of(parts)
        literal = _literal(ascii_host(parts))
        if literal is not None and (reason := self._refusal(literal)):
            raise Blocked(f"The address {literal} is {reason}.")

    def check_resolves(self, url: str) -> None:
        """`check_url`, and one look-up: what is asked when a webhook is made or changed.

        Raises:
            AddressError: as `check_url`; `Unresolved` if the host resolves to no address that may
                be dialled.
        """
        self.check_url(url)
        parts = _split(url)
        host = ascii_host(parts)
        try:
            self.resolve(host, port_of(parts))
        except socket.gaierror:
            raise _unresolved(host) from None

    def resolve(self, host: str, port: int) -> Resolved:
        """Look the host up, once, and check every address that it has.

        Args:
            host: a name in ASCII form, or an IPv4 or IPv6 address, in brackets or not.

        Raises:
            Blocked: it is an address that may not be dialled.
            Unresolved: one of a name's addresses may not be dialled.
            AddressError: the port may not.
            socket.gaierror: the look-up failed, or gave no address.
        """
        host = host.strip("[]")
        try:
            results = self.look_up(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:  # not a name for the resolver
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        targets = tuple((int(family), tuple(address)) for family, _, _, _, address in results)
        if not targets:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        low_port = port < _FIRST_FREE_PORT and port not in DEFAULT_PORTS.values()
        for _, found in targets:
            address = ipaddress.ip_address(found[0])
            if reason := self._refusal(address):
                raise Blocked(f"{host} is {reason}.") if _literal(host) else _unresolved(host)
            if low_port and not self._is_allowed(address):
                raise AddressError("Ports below 1024, except 80 and 443, are not permitted.")
        return Resolved(targets)

    def _is_allowed(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether ops allow the network of an address."""
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        # The kernel dials the IPv4 address inside.
        return any((mapped or address) in network for network in self.allowed_networks)

    def _refusal(self, address: IPv4Address | IPv6Address) -> str | None:
        """Why the address may not be dialled, as the end of a sentence; None if it may."""
        if self._is_allowed(address):
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        public = (
            address.is_global
            and not address.is_multicast
            and not address.is_reserved
            and not any(address in network for network in EXTRA_BLOCKED_NET_RANGES)
            and not any(address in network for network in _NEVER_AN_ENDPOINT)
            and (address.version == 4 or address in _PUBLIC_IPV6)
            and not (address.version == 6 and int(address) >> 32 & 0xFFFF_FFFF in _ISATAP)
        )
        return None if public else "not a public one"


def _unresolved(host: str) -> Unresolved:
    return Unresolved(f"The host name {host} has no public address.")


def ascii_host(parts: SplitResult) -> str:
    """The host of a URL as it is looked up: lower case, international names in ASCII form.

    Raises:
        AddressError: there is no host, or it is none that a name or an address can be.
    """
    host = parts.hostname or ""
    if not host.strip("."):
        raise AddressError("The URL must name a host.")
    if "%" in host:
        raise AddressError("The host must not contain a percent sign.")
    if ":" in host:
        return host  # IPv6; `_split` has let only a valid one through
    try:
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise AddressError("The host is not a valid international name.") from None
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_is_label(label) for label in labels):
        raise AddressError("The host is not a valid name.")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        _require_dotted_quad(host)
    return host


def port_of(parts: SplitResult) -> int:
    """The port of a URL, its scheme's own unless one is named.

    Raises:
        AddressError: it is not a number from 1 to 65535.
    """
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise AddressError("The port must be a number from 1 to 65535.")
    return port or DEFAULT_PORTS[parts.scheme]


def _split(url: str) -> SplitResult:
    """The parts of a URL.

    Raises:
        AddressError: it is too long, is not one line of visible characters, or is no URL at all.
    """
    if len(url) > MAX_URL_LENGTH:
        raise AddressError(f"The URL must not be longer than {MAX_URL_LENGTH} characters.")
    # `urlsplit` would quietly drop some of these, and parsers differ over a backslash.
    if not url.isprintable() or " " in url or "\\" in url:
        raise AddressError("The URL must not contain spaces, control characters or backslashes.")
    try:
        parts = urlsplit(url)
        if "[" in parts.netloc:
            IPv6Address(parts.hostname or "")
    except ValueError:
        raise AddressError("This is not a valid URL.") from None
    return parts


def _is_label(label: str) -> bool:
    """Whether a host name may have this part; an underscore is no host name but does occur."""
    return 0 < len(label) <= 63 and label.replace("-", "").replace("_", "").isalnum()


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(host.removesuffix("."))
    except ValueError:
        return None


def _require_dotted_quad(host: str) -> None:
    """Let no 127.1, 0x7f000001, 017700000001 or 2130706433 through.

    No top-level domain is a number, so a host that ends in one is an address. The resolver
    would accept the old forms, and its result is checked; but only attacks use them.

    Raises:
        AddressError: the host is not four plain decimal numbers.
    """
    if _literal(host) is None:
        raise AddressError("An IPv4 address must be written as four decimal numbers.")
