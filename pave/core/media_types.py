"""Content-Type headers, before any library parses them.

Django parses the header of each request, before any route or key is looked at, by ``email``. Of
8 KB of semicolons that takes a tenth of a second, and some parameters as in RFC 2231 (``a*0=``)
raise errors that nobody catches, with the header's text in the log. By a charset it decodes the
query at once, whatever that costs, and with codecs that are none for texts.
"""

import re

UNKNOWN = "application/octet-stream"
MAX_LENGTH = 256
_NAME = r"[\w!#$&^.+-]++"
_PARAMETER = rf'{_NAME}=(?:[^\s;"*]++|"[^"\\*]*+")'
_PLAIN = re.compile(rf"{_NAME}/{_NAME}[ \t]*+(?:;[ \t]*+(?:{_PARAMETER}[ \t]*+)?)*+", re.ASCII)


_CHARSET = re.compile(r';[ \t]*charset=("[^"]*"|[^\s;]*)', re.ASCII | re.IGNORECASE)
# What all of Pave reads in any case.
UTF_8 = {"utf-8", "utf8", "us-ascii"}


def plain_media_type(header: str) -> str:
    """Return a Content-Type header as any library may have it.

    Returns:
        The header without its charset if it is plain and short, and in UTF-8; or else ``UNKNOWN``,
        which no route takes.
    """
    if not header:
        return ""
    charsets = {value.strip('"').lower() for value in _CHARSET.findall(header[:MAX_LENGTH])}
    if len(header) > MAX_LENGTH or not _PLAIN.fullmatch(header) or charsets - UTF_8:
        return UNKNOWN
    return _CHARSET.sub("", header)
