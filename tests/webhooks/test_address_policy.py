import ipaddress
import socket
from typing import Any

import pytest

from webhooks.http.address_policy import AddressError, AddressPolicy, Blocked, Unresolved
from webhooks.http.outcome import ErrorClass, classify

PUBLIC = "93.184.216.34"


def answers(*addresses: str) -> Any:
    """A resolver that gives these addresses for every name."""

    def look_up(host: str, port: int, **kwargs: Any) -> list[tuple[Any, ...]]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in addresses
        ]

    return look_up


def unknown(host: str, port: int, **kwargs: Any) -> list[tuple[Any, ...]]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def policy(*networks: str, allow_http: bool = True, look_up: Any = unknown) -> AddressPolicy:
    return AddressPolicy(
        [ipaddress.ip_network(network) for network in networks], allow_http, look_up
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/hooks?a=1&b=%20",
        "HTTPS://EXAMPLE.COM/",
        "https://example.com./",
        "https://bücher.example/größe",
        "https://my_host.example/",
        f"https://{PUBLIC}/",
        "https://[2606:4700:4700::1111]:4443/",
        "http://example.com/",
    ],
)
def test_a_public_url_is_accepted(url: str) -> None:
    policy(look_up=answers(PUBLIC)).check_resolves(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://:443/",
        "https://.",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com/#part",
        "https://example.com/#",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:x/",
        "https://example.com:-1/",
        "https://exam ple.com/",
        "https://example.com/a b",
        " https://example.com/",
        "https://example.com/\n",
        "https://exa\tmple.com/",
        "https://example.com/\x00",
        "https://example.com/\u2028",
        "https://example.com\\@127.0.0.1/",
        "https://example%2ecom/",
        "https://a..b/",
        "https://-/",
        "https://" + "a" * 64 + ".com/",
        "https://" + "a." * 127 + "com/",
        "https://ex*mple.com/",
        "https://[::1/",
        "https://[v1.x]/",
        "https://[example.com]/",
        "https://\ud800.com/",
        "https://\u2488com/",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_a_url_that_is_none_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(AddressError) as caught:
        policy(look_up=answers(PUBLIC)).check_url(url)
    assert str(caught.value).endswith(".")


def test_plain_http_only_where_it_is_allowed() -> None:
    with pytest.raises(AddressError, match="https"):
        policy(allow_http=False).check_url("http://example.com/")
    policy(allow_http=False).check_url("https://example.com/")


NOT_PUBLIC = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "127.0.0.1.",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0X7F.1",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.01",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "161.26.0.10",
    "166.11.255.1",
    "199.36.153.4",
    "199.36.153.11",
    "34.126.63.255",
    "35.199.223.1",
    "[2001:4860:8040::1]",
    "[2600:2d00:2:1000::1]",
    "[2600:2d00:2:2000::]",
    "192.52.193.1",
    "192.175.48.42",
    "[2620:4f:8000::1]",
    "[2001:200::5efe:7f00:1]",
    "[2001:200::200:5efe:a9fe:a9fe]",
    "192.0.0.8",
    "192.88.99.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2001::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[fec0::1]",
    "[ff02::1]",
]


@pytest.mark.parametrize("host", NOT_PUBLIC)
def test_no_spelling_of_an_address_that_is_not_public_gets_through(host: str) -> None:
    with pytest.raises(AddressError):
        policy(look_up=socket.getaddrinfo).check_url(f"http://{host}:8000/hook")


@pytest.mark.parametrize("host", NOT_PUBLIC)
def test_nor_by_way_of_the_resolver(host: str) -> None:
    """Whatever slips past the URL's check is met again as the address to be dialled."""
    with pytest.raises((Blocked, Unresolved, socket.gaierror)):
        policy(look_up=socket.getaddrinfo).resolve(host.strip("[]"), 80)


@pytest.mark.parametrize(
    "address", [host.strip("[]") for host in NOT_PUBLIC if host in ("10.0.0.1", "[::1]")]
)
def test_a_name_for_an_address_that_is_not_public_is_blocked(address: str) -> None:
    with pytest.raises(Unresolved) as caught:
        policy(look_up=answers(address)).resolve("example.com", 443)
    assert address not in str(caught.value)


def test_a_client_cannot_ask_which_names_our_own_network_has() -> None:
    """Neither when it creates a webhook, nor by an attempt to send to one."""
    told, attempted = set(), set()
    for look_up in (answers("10.0.0.1"), unknown):
        with pytest.raises(AddressError) as caught:
            policy(look_up=look_up).check_resolves("https://db.internal.example/")
        told.add(str(caught.value))
        with pytest.raises((AddressError, socket.gaierror)) as tried:
            policy(look_up=look_up).resolve("db.internal.example", 443)
        attempted.add(classify(tried.value))
    assert told == {"The host name db.internal.example has no public address."}
    assert attempted == {(ErrorClass.DNS, "The host name has no public address.")}


@pytest.mark.parametrize("port", [1, 22, 25, 444, 1023])
def test_the_ports_of_a_hosts_own_services_are_refused_unless_its_network_is_allowed(
    port: int,
) -> None:
    for host, address in (("example.com", PUBLIC), (PUBLIC, PUBLIC)):
        url = f"https://{host}:{port}/"
        with pytest.raises(AddressError, match="Ports below 1024"):
            policy(look_up=answers(address)).check_resolves(url)
        policy(f"{address}/32", look_up=answers(address)).check_resolves(url)


def test_one_bad_address_among_good_ones_blocks() -> None:
    for order in ([PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC]):
        with pytest.raises(Unresolved):
            policy(look_up=answers(*order)).resolve("example.com", 443)


def test_an_allowed_network_may_be_dialled_and_nothing_beside_it() -> None:
    allowed = policy("10.1.0.0/16", "::1/128", look_up=answers("10.1.2.3"))
    allowed.check_resolves("https://internal.example/")
    allowed.check_url("https://10.1.2.3/")
    allowed.check_url("https://[::ffff:10.1.2.3]/")
    allowed.check_url("https://[::1]/")
    for url in ("https://10.2.0.1/", "https://127.0.0.1/", "https://[::ffff:10.2.0.1]/"):
        with pytest.raises(Blocked):
            allowed.check_url(url)


def test_the_addresses_come_in_the_resolvers_order_and_ready_to_dial() -> None:
    resolved = policy(look_up=answers("2606:4700::1", PUBLIC)).resolve("example.com", 8443)
    assert resolved.address == "2606:4700::1"
    assert resolved.targets == (
        (socket.AF_INET6, ("2606:4700::1", 8443, 0, 0)),
        (socket.AF_INET, (PUBLIC, 8443)),
    )


@pytest.mark.parametrize("look_up", [unknown, answers()])
def test_a_name_without_an_address_is_unresolved(look_up: Any) -> None:
    with pytest.raises(Unresolved, match=r"example\.com"):
        policy(look_up=look_up).check_resolves("https://example.com/")
    with pytest.raises(socket.gaierror):
        policy(look_up=look_up).resolve("example.com", 443)


def test_a_name_that_the_resolver_cannot_even_encode_is_unresolved() -> None:
    with pytest.raises(socket.gaierror):
        policy(look_up=socket.getaddrinfo).resolve("a" * 64 + "é.example", 443)
