"""What a web process sends while its caller waits: little at once, since a thread waits too."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

# Of the threads of a web process; PAVE_MAX_WAITING takes most of the others (pave/gunicorn.py).
MOST = 3

_lock = threading.Lock()
_callers: set[Hashable] = set()


class Busy(Exception):
    """There is no room at this moment; the message is a sentence for the client."""


@contextmanager
def turn(caller: Hashable) -> Iterator[None]:
    """Let a client or staff member have something sent, while it has nothing else sent here.

    Raises:
        Busy: It has, or too many others have.
    """
    with _lock:
        if caller in _callers:
            raise Busy("Another test or check of yours is under way; wait for its answer.")
        if len(_callers) >= MOST:
            raise Busy("Too many tests and checks are under way.")
        _callers.add(caller)
    try:
        yield
    finally:
        with _lock:
            _callers.discard(caller)
