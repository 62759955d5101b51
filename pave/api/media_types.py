"""Content-Type and Accept headers, before any library parses them.

Django parses the first of each request before any route or key is looked at, and the second where
the answer depends on it, by ``email``: parameters as in RFC 2231 (``a*0=``) raise errors that
nobody catches, with the header's text in the log, and 8 KB of semicolons take a tenth of a second.
By a charset it decodes the query at once, with any codec that Python has. So it gets headers that
are written anew, of the few things that Pave looks at.
"""

import re
from typing import Any

# What no route takes, as errors name it.
UNREADABLE = "unreadable"
# Stands for each charset but UTF-8; no codec has this name.
OTHER_CHARSET = "other"
UTF_8 = {"utf-8", "utf8", "us-ascii"}
MAX_LENGTH = 1024

_NAME = r"[\w!#$&^.+-]{1,100}"
_TYPE = re.compile(rf"({_NAME}/{_NAME})[ \t]*(?:;|$)", re.ASCII)
_CHARSET = re.compile(r';[ \t]*charset=("[^"]*"|[^\s;]*)', re.ASCII | re.IGNORECASE)
# RFC 2046, section 5.1.1
_BOUNDARY = re.compile(
    r""";[ \t]*boundary=("?)([\w'()+,./:=?-]{1,70})\1[ \t]*(?:;|$)""", re.ASCII | re.IGNORECASE
)
_RANGE = re.compile(rf"\s*(\*/\*|{_NAME}/(?:\*|{_NAME}))\s*(?:;|$)", re.ASCII)
_PARAMETER = re.compile(rf";\s*({_NAME}=[\w!#$&^.+-]{{1,100}})\s*(?=;|$)", re.ASCII)


def with_plain_headers(environ: dict[str, Any]) -> dict[str, Any]:
    """Return a request's environment, as Pave lets Django see it."""
    plain = {"CONTENT_TYPE": plain_media_type(environ.get("CONTENT_TYPE", ""))}
    if "HTTP_ACCEPT" in environ:
        plain["HTTP_ACCEPT"] = plain_accept(environ["HTTP_ACCEPT"])
    return environ | plain


def plain_media_type(header: str) -> str:
    """Return a Content-Type header without parameters, but for a form's boundary.

    Returns:
        That; with ``OTHER_CHARSET`` if it names another than UTF-8; or ``UNREADABLE`` if it has no
        type, or is long.
    """
    if not header:
        return ""
    found = _TYPE.match(header)
    if not found or len(header) > MAX_LENGTH:
        return UNREADABLE
    media_type = found[1].lower()
    if media_type == "multipart/form-data":
        boundary = _BOUNDARY.search(header)
        return f'{media_type}; boundary="{boundary[2]}"' if boundary else UNREADABLE
    charsets = {value.strip('"').lower() for value in _CHARSET.findall(header)}
    return f"{media_type}; charset={OTHER_CHARSET}" if charsets - UTF_8 else media_type


def plain_accept(header: str) -> str:
    """Return an Accept header's types with their plain parameters; nothing if it is long."""
    if len(header) > MAX_LENGTH:
        return ""
    found = [(_RANGE.match(part), part) for part in header.split(",")]
    return ",".join(";".join([it[1], *_PARAMETER.findall(part)]) for it, part in found if it)
