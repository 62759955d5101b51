"""Bounds on requests that hold a thread of the web server or its CPU for long."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Busy(Exception):
    """There is no place now; the message is a sentence for the client."""


class Full(Busy):
    """That is because of others."""


class Places:
    """So many requests of a kind are let into this process at once, and fewer of each caller.

    Args:
        at_once: Of all callers.
        of_each: Of one caller.
        another: What a caller is told that has as many as it may.
        full: What it is told if the others have all places.
    """

    def __init__(self, *, at_once: int, of_each: int = 1, another: str, full: str) -> None:
        self.at_once = at_once
        self.another = another
        self._of_each = of_each
        self._full = full
        self._lock = threading.Lock()
        self._callers: list[Hashable] = []

    @contextmanager
    def place(self, caller: Hashable) -> Iterator[None]:
        """Let a caller's request in for as long as the body lasts.

        Raises:
            Busy: The caller has as many as it may.
            Full: There is no room.
        """
        with self._lock:
            if self._callers.count(caller) >= self._of_each:
                raise Busy(self.another)
            if len(self._callers) >= self.at_once:
                raise Full(self._full)
            self._callers.append(caller)
        try:
            yield
        finally:
            with self._lock:
                self._callers.remove(caller)


class Turns:
    """Of those who are let in, so many work at a time.

    Args:
        at_a_time: How many.
        full: What a client is told whose turn does not come.
    """

    def __init__(self, *, at_a_time: int, full: str) -> None:
        self.at_a_time = at_a_time
        self._full = full
        self._working = threading.Semaphore(at_a_time)

    @contextmanager
    def turn(self, *, wait: float | None) -> Iterator[None]:
        """Work while the body lasts, after those who do.

        Args:
            wait: For how long to wait for that, in seconds; None: for as long as it takes.

        Raises:
            Full: They took longer.
        """
        if not self._working.acquire(timeout=wait):
            raise Full(self._full)
        try:
            yield
        finally:
            self._working.release()


# All requests of clients that are not short by nature, as a post and a look at its answer are: a
# list, a count, or a change that waits for a row holds its thread for a while.
OTHERS = Places(
    at_once=8,
    of_each=3,
    another="Three other requests of yours are being answered. Send this one when one of them is.",
    full="Too many requests are being answered. Try again in a moment.",
)
