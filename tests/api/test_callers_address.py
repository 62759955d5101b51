"""Whose address a request has, behind proxies."""

from ipaddress import ip_network

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from pave.api.middleware import CallersAddress

PROXY = "10.0.0.5"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (PROXY, "192.0.2.1", "192.0.2.1"),
        (PROXY, "192.0.2.1, 10.0.0.9", "192.0.2.1"),
        (PROXY, "198.51.100.66, 192.0.2.1", "192.0.2.1"),  # the first is made up
        (PROXY, " 2001:db8::1 ", "2001:db8::1"),
        (PROXY, "::ffff:192.0.2.1", "192.0.2.1"),
        (PROXY, "192.0.2.1:50123", "192.0.2.1"),
        (PROXY, "[2001:db8::1]:50123, 10.0.0.9:1", "2001:db8::1"),
        (PROXY, "[2001:db8::1]", "2001:db8::1"),
        (PROXY, "[192.0.2.1", PROXY),
        ("::ffff:" + PROXY, "192.0.2.1", "192.0.2.1"),
        (PROXY, "fe80::1%" + 300 * "x", PROXY),
        (PROXY, "", PROXY),
        (PROXY, "10.0.0.9", "10.0.0.9"),
        (PROXY, "nonsense", PROXY),
        (PROXY, "192.0.2.1, nonsense, 10.0.0.9", "10.0.0.9"),
        (PROXY, "192.0.2.1" + 5_000 * ",10.0.0.9", "10.0.0.9"),
        ("192.0.2.9", "198.51.100.66", "192.0.2.9"),
        ("", "198.51.100.66", ""),
    ],
)
def test_it_is_what_the_outermost_trusted_proxy_saw(settings, peer, forwarded, address):
    settings.PAVE_TRUSTED_PROXIES = [ip_network("10.0.0.0/24")]
    assert seen(peer, forwarded) == address


def test_without_trusted_proxies_it_is_the_peers(settings):
    assert seen(PROXY, "192.0.2.1") == PROXY


def seen(peer, forwarded):
    addresses = []

    def respond(request):
        addresses.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    CallersAddress(respond)(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))
    return addresses[0]
