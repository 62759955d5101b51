"""How many uploads of batches there are at once, so that they keep nobody else's posts waiting.

Each holds a thread of the web server from its first byte on, and keeps a CPU busy once it is there.
So a client has one at a time in a process, a process has few and works on two of them at a time,
and of a client's one is worked on at a time in all processes (``batches.accept``).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Uploads in a process: those that are being read, those that are worked on, and those that wait for
# that. Each holds a thread of the web server (pave/gunicorn.py).
AT_ONCE = 4
# Worked on at a time: one client that always has some leaves room for the others'.
WORKED_ON = 2
# How long they wait, in seconds: for some of the usual size, on a busy machine.
WAIT_SECONDS = 20.0

ANOTHER = "Another batch of yours is being taken. Send this one when that is answered."
_FULL = "Too many batches are being taken. Try again in a moment."

_lock = threading.Lock()
_clients: set[int] = set()
_working = threading.Semaphore(WORKED_ON)


class Busy(Exception):
    """There is no upload now; the message is a sentence for the client."""


class Full(Busy):
    """That is because of others."""


@contextmanager
def place(client_id: int) -> Iterator[None]:
    """Let a client send an upload, if it sends no other and there is room.

    Args:
        client_id: The client's primary key.

    Raises:
        Busy: It sends another.
        Full: There is no room.
    """
    with _lock:
        if client_id in _clients:
            raise Busy(ANOTHER)
        if len(_clients) >= AT_ONCE:
            raise Full(_FULL)
        _clients.add(client_id)
    try:
        yield
    finally:
        with _lock:
            _clients.discard(client_id)


@contextmanager
def turn() -> Iterator[None]:
    """Let an upload that is there be worked on, after those that are.

    Raises:
        Full: They take too long.
    """
    if not _working.acquire(timeout=WAIT_SECONDS):
        raise Full(_FULL)
    try:
        yield
    finally:
        _working.release()
