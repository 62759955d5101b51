"""Web addresses as sources and people write them, made URIs as RFC 3986 has them."""

import re
from urllib.parse import quote

import idna

# What a URI may be made of; in its host brackets too, which stand around an IPv6 address.
_LEGAL = "._~:/?#@!$&'()*+,;=-%"
_PLAIN = "[A-Za-z0-9._~:/?#@!$&'()*+,;=-]*+"
_URI = re.compile(rf"(?:https?://\[[0-9A-Fa-f:.]++\])?{_PLAIN}(?:%[0-9A-Fa-f]{{2}}{_PLAIN})*+")
# A percent sign that encodes nothing, and so must be encoded itself.
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARTS = re.compile(r"(https?://)?([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def as_uri(address: str) -> str:
    """Return a web address with what is illegal in a URI encoded; a URI stays as it is.

    An international host is written in Punycode (UTS 46), which is how it is looked up. One that
    cannot be is left to the encoding of the rest.
    """
    if _URI.fullmatch(address):
        return address
    found = _PARTS.fullmatch(address.strip())
    assert found  # noqa: S101 - the expression takes any text
    scheme, host, rest = found[1] or "", found[2], found[3]
    if not host.isascii():
        name, colon, port = host.partition(":")
        try:
            host = idna.encode(name, uts46=True).decode() + colon + port
        except idna.IDNAError:
            pass
    host, rest = (_STRAY_PERCENT.sub("%25", part) for part in (host, rest))
    return f"{scheme}{quote(host, safe=_LEGAL + '[]')}{quote(rest, safe=_LEGAL)}"
