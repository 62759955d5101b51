"""How many passwords are tried: each costs a third of a second of CPU, a wrong name's too.

axes locks a name for an address after a few, which does not bound those who try many names. So a
process hashes one at a time, a few wait for their turn, and an address has so many tries a minute.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.cache import cache

TRIES_A_MINUTE = 20
# Who logs in at once in a process: one whose password is tried, and those who wait for that. Each
# holds a thread of the web server (pave/gunicorn.py).
AT_ONCE = 3
# How long they wait, in seconds: for two others, on a busy machine.
WAIT_SECONDS = 5.0

_BUSY = "Others are logging in. Try again in a moment."

_places = threading.Semaphore(AT_ONCE)
_hashing = threading.Lock()


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
    """Let somebody at ``address`` try a password, after those who are trying theirs.

    Raises:
        TooMany: Not now.
    """
    now = time.time()
    # Counted first: one who has tried too often takes no place from the others.
    if _tries(address, int(now // 60)) > TRIES_A_MINUTE:
        pause = 60 - int(now % 60)
        raise TooMany("Too many have tried to log in from here. Try again in a minute.", pause)
    if not _places.acquire(blocking=False):
        raise TooMany(_BUSY, 1)
    try:
        if not _hashing.acquire(timeout=WAIT_SECONDS):
            raise TooMany(_BUSY, 1)
        try:
            yield
        finally:
            _hashing.release()
    finally:
        _places.release()


def _tries(address: str, minute: int) -> int:
    """Count a try; return how many there were in this minute, 0 if the cache is out of reach."""
    key = f"logins:{minute}:{address}"
    cache.add(key, 0, 120)
    try:
        return cache.incr(key) or 0
    except ValueError:  # gone this moment
        return 0
