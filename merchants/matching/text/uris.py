"""Turns web addresses as people write them into URIs (RFC 3986)."""

import re
from urllib.parse import quote

import idna

# Characters of a URI; in its host also brackets, around an IPv6 address.
_LEGAL = "._~:/?#@!$&'()*+,;=-%"
_PLAIN = "[A-Za-z0-9._~:/?#@!$&'()*+,;=-]*+"
_URI = re.compile(rf"(?:https?://\[[0-9A-Fa-f:.]++\])?{_PLAIN}(?:%[0-9A-Fa-f]{{2}}{_PLAIN})*+")
# A percent sign that encodes nothing must itself be encoded.
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARTS = re.compile(r"(https?://)?([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def as_uri(address: str) -> str:
    """Return a web address with illegal characters encoded; a URI stays as it is.

    An international host is written in Punycode (UTS 46), as DNS has it; one that is invalid is
    percent-encoded like the rest.
    """
    if _URI.fullmatch(address):
        return address
    parts = _PARTS.fullmatch(address.strip())
    assert parts  # noqa: S101 - the expression takes any text
    scheme, host, rest = parts[1] or "", parts[2], parts[3]
    if not host.isascii():
        name, colon, port = host.partition(":")
        try:
            host = idna.encode(name, uts46=True).decode() + colon + port
        except idna.IDNAError:
            pass
    host, rest = (_STRAY_PERCENT.sub("%25", part) for part in (host, rest))
    return f"{scheme}{quote(host, safe=_LEGAL + '[]')}{quote(rest, safe=_LEGAL)}"
