"""Which headers a client may set for its messages. Pure."""

import re
from collections.abc import Mapping

from pave.core.card_numbers.masking import CARD_REFUSED, holds_card_number

MAX_HEADERS = 20
MAX_NAME = 100
MAX_VALUE = 2000

# A token, and visible characters with spaces between them (RFC 9110, sections 5.1 and 5.5).
NAME_PATTERN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
VALUE_PATTERN = r"[!-~]([ -~\t]*[!-~])?"
_NAME = re.compile(NAME_PATTERN)
_VALUE = re.compile(VALUE_PATTERN)
# Pave's own headers, and those that frame or route a message, or say where it comes from: setting
# them would break it, or pretend to be somebody's proxy.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "cf-connecting-ip",
        "client-ip",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "true-client-ip",
        "upgrade",
        "user-agent",
        "via",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-url",
        "x-real-ip",
        "x-rewrite-url",
    }
)
_RESERVED_PREFIXES = ("webhook-", "proxy-", "sec-", "x-forwarded-")


def problem_with(headers: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the name of the first header that may not be set, and why; None if all may.

    The name is empty if there are too many headers.
    """
    if len(headers) > MAX_HEADERS:
        return "", f"There may be {MAX_HEADERS} headers at most."
    seen: set[str] = set()
    for name, value in headers.items():
        lowered = name.lower()
        # Many servers read an underscore as a hyphen.
        read_as = lowered.replace("_", "-")
        if len(name) > MAX_NAME or not _NAME.fullmatch(name):
            return name, f"This is no header's name; {MAX_NAME} characters at most."
        if read_as in _RESERVED or read_as.startswith(_RESERVED_PREFIXES):
            return name, "This header is reserved."
        if holds_card_number(name):
            return name, CARD_REFUSED
        if read_as in seen:
            return name, "This header is named twice; upper and lower case make no difference."
        if type(value) is not str or len(value) > MAX_VALUE or not _VALUE.fullmatch(value):
            return name, (
                f"The value must be 1 to {MAX_VALUE} visible ASCII characters, with spaces only "
                "between them."
            )
        seen.add(read_as)
    return None
