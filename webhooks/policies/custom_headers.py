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
# Pave's own headers, and those that frame or route a message: setting them would break it.
_RESERVED = frozenset(
    {
        "accept-encoding",
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
        "upgrade",
        "user-agent",
        "via",
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
        if len(name) > MAX_NAME or not _NAME.fullmatch(name):
            return name, f"This is no header's name; {MAX_NAME} characters at most."
        if lowered in _RESERVED or lowered.startswith(_RESERVED_PREFIXES):
            return name, "This header is reserved."
        if holds_card_number(name):
            return name, CARD_REFUSED
        if lowered in seen:
            return name, "This header is named twice; upper and lower case make no difference."
        if type(value) is not str or len(value) > MAX_VALUE or not _VALUE.fullmatch(value):
            return name, (
                f"The value must be 1 to {MAX_VALUE} visible ASCII characters, with spaces only "
                "between them."
            )
        seen.add(lowered)
    return None
