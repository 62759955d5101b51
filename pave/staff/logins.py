"""How many passwords are tried: each costs a third of a second of CPU, a wrong name's too.

axes locks a name for an address after a few, which does not bound those who try many names. So a
process hashes one at a time, few wait for that, and an address has so many tries a minute.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.cache import cache

TRIES_A_MINUTE = 20

# So many may wait in a web server's threads for the one that hashes, and so long, in seconds.
MOST_WAITING = 4
WAIT_SECONDS = 3.0

_hashing = threading.Lock()
_waiting = threading.BoundedSemaphore(MOST_WAITING)


class TooMany(Exception):
    """No password is tried now; the message is a sentence for whoever logs in.

    Args:
        text: The sentence.
        pause: After how many seconds to try again.
    """

    def __init__(self, text: str, pause: int) -> None:
        super().__init__(text)
        self.pause = pause


@contextmanager
def turn(address: str) -> Iterator[None]:
    """Let somebody at ``address`` try a password.

    Raises:
        TooMany: Not now.
    """
    now = time.time()
    if _tries(address, int(now // 60)) > TRIES_A_MINUTE:
        pause = 60 - int(now % 60)
        raise TooMany("Too many have tried to log in from here. Try again in a minute.", pause)
    if not _wait_to_hash():
        raise TooMany("Others are logging in. Try again in a moment.", 1)
    try:
        yield
    finally:
        _hashing.release()


def _wait_to_hash() -> bool:
    """Wait until nobody else hashes; return whether that came to be."""
    if not _waiting.acquire(blocking=False):
        return False
    try:
        return _hashing.acquire(timeout=WAIT_SECONDS)
    finally:
        _waiting.release()


def _tries(address: str, minute: int) -> int:
    """Count a try; return how many there were in this minute, 0 if the cache is out of reach."""
    key = f"logins:{minute}:{address}"
    cache.add(key, 0, 120)
    try:
        return cache.incr(key) or 0
    except ValueError:  # gone this moment
        return 0
