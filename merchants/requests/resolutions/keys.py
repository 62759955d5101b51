"""Resolution keys: transactions with the same key have the same answer."""

import hashlib
from typing import NamedTuple

from django.conf import settings
from django.utils.crypto import salted_hmac

from merchants.matching.heuristic import Heuristic
from merchants.matching.types import Key
from merchants.models import KEY_LENGTH, NormalizationRequest
from pave.core.time_limit import TimeUp, time_limit

# How keys with free text begin that all clients share (``PAVE_SHARE_UNKNOWN``).
ALL_CLIENTS = "all:"


class StoredKey(NamedTuple):
    """A key as stored in a resolution.

    Args:
        text: A shared key in clear, else a digest that differs between clients.
        client: The primary key of the only client that may have its answer; None for all.
    """

    text: str
    client: int | None


class KeyLimits(NamedTuple):
    """How long a heuristic's ``key`` may take, in seconds of CPU time and by the wall clock.

    It takes microseconds, but the first call loads data, and the machine may be busy.
    """

    cpu: float
    wall: float


# In a batch with others, and alone.
IN_A_BATCH = KeyLimits(cpu=1.0, wall=4.0)
ALONE = KeyLimits(cpu=5.0, wall=20.0)


def key_of(request: NormalizationRequest, heuristic: Heuristic, limits: KeyLimits) -> StoredKey:
    """Return the resolution key of a request under a heuristic.

    Raises:
        TimeoutError: The heuristic's ``key`` takes longer than it may.
        Exception: Whatever it raises.
    """
    try:
        with time_limit(limits.wall, cpu_seconds=limits.cpu):
            key = heuristic.key(request.as_transaction())
    except TimeUp as error:
        raise TimeoutError("The heuristic's key takes too long.") from error
    return stored_key(key, request.client_id)


def stored_key(key: Key | str, client: int) -> StoredKey:
    """Return the stored form of a heuristic's key, for a client's request.

    A client's free text is not stored in clear beside an answer, and its answer is cached for that
    client alone: else the time of an answer would reveal what other clients have sent.
    ``PAVE_SHARE_UNKNOWN`` gives that up.
    """
    key = key if isinstance(key, Key) else Key(key)
    text = key.text.encode("utf-8", "replace")
    if key.shared:
        short = len(key.text) <= KEY_LENGTH and key.text.isprintable()
        return StoredKey(key.text if short else f"sha256:{hashlib.sha256(text).hexdigest()}", None)
    owner = None if settings.PAVE_SHARE_UNKNOWN else client
    digest = salted_hmac("merchants.key", b"%d:%b" % (owner or 0, text), algorithm="sha256")
    prefix = ALL_CLIENTS if owner is None else "own:"
    return StoredKey(f"{prefix}{digest.hexdigest()}", owner)
