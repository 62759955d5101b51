"""Signing by Standard Webhooks 1.0.0: secrets, signatures, and the headers of one attempt.

Pure: no model and no settings. Source: the specification at
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import secrets as random_source
from collections.abc import Mapping, Sequence

USER_AGENT = "Pave-Webhooks/1"

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, no secret
_SECRET_BYTES = 32

# Headers with credentials; compared in lower case.
_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "webhook-signature"}
)
_SECRET_WORDS = ("token", "secret", "password", "api-key", "apikey", "-key", "-auth")
# What stands in place of a secret wherever headers are shown.
MASK = "***"


class NoSecret(ValueError):
    """A webhook has no secret, or none that can be decrypted."""


def generate_secret() -> str:
    """A new signing secret: ``whsec_`` and the base64 of 32 random bytes."""
    return SECRET_PREFIX + base64.b64encode(random_source.token_bytes(_SECRET_BYTES)).decode()


def sign(*, secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one ``v1,…`` per secret, separated by spaces.

    The bytes are signed as they are, valid UTF-8 or not; that is why the HMAC is made here: the
    ``standardwebhooks`` library signs text only.

    Args:
        secrets: the live secrets of the webhook, newest first; at least one.
        message_id: the event's id, the same on every attempt.
        timestamp: the time of this attempt in whole seconds since 1970.
        body: exactly the bytes that are sent.

    Raises:
        NoSecret: there is no secret.
        ValueError: one of them is not ``whsec_`` and base64.
    """
    if not secrets:
        raise NoSecret("A webhook cannot be signed without a secret.")
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()
        for secret in secrets
    )


def signed_headers(
    *, secrets: Sequence[str], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Pave's own headers of one attempt; the arguments are those of `sign`."""
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(
            secrets=secrets, message_id=message_id, timestamp=timestamp, body=body
        ),
    }


def mask(secret: str) -> str:
    """A secret for display: enough to distinguish two, too little to sign with."""
    shown = secret.removeprefix(SECRET_PREFIX)
    prefix = secret[: len(secret) - len(shown)]
    # Four characters of base64 are 24 of 256 bits; of a short secret not even these are shown.
    return prefix + (shown[:4] if len(shown) >= 32 else "") + MASK


def mask_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with secret values replaced, to be stored and displayed."""
    return {name: MASK if _is_secret(name) else value for name, value in headers.items()}


def _is_secret(name: str) -> bool:
    lowered = name.lower()
    return lowered in _SECRET_HEADERS or any(word in lowered for word in _SECRET_WORDS)


def _key(secret: str) -> bytes:
    """The HMAC key in a secret.

    Raises:
        ValueError: the secret is not base64, or is empty.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        # The secret itself must not get into a traceback's message.
        raise ValueError("A signing secret is not valid base64.") from None
    if not key:
        raise ValueError("A signing secret is empty.")
    return key
