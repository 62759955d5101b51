"""Bounds on requests that hold a thread of the web server or its CPU for long."""

import threading
import weakref
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager

from django.http import HttpResponseBase
from django.template.response import SimpleTemplateResponse


class Busy(Exception):
    """The limit is reached; the message is a sentence for the client."""


class Full(Busy):
    """The limit of all callers together is reached."""


class ConcurrencyLimit:
    """Limits concurrent requests of a kind in this process, in all and per caller.

    Args:
        limit: Of all callers.
        per_client: Of one caller.
        busy: The message for a caller at its own limit.
        full: The message if the limit of all is reached.
    """

    def __init__(self, *, limit: int, per_client: int = 1, busy: str, full: str) -> None:
        self.limit = limit
        self.busy = busy
        self._of_each = per_client
        self._full = full
        self._lock = threading.Lock()
        self._callers: list[Hashable] = []

    @contextmanager
    def slot(self, caller: Hashable) -> Iterator[None]:
        """Hold a slot for a caller's request during the block.

        Raises:
            Busy: The caller is at its limit.
            Full: The limit of all is reached.
        """
        with self._lock:
            if self._callers.count(caller) >= self._of_each:
                raise Busy(self.busy)
            if len(self._callers) >= self.limit:
                raise Full(self._full)
            self._callers.append(caller)
        try:
            yield
        finally:
            with self._lock:
                self._callers.remove(caller)


class WorkLimit:
    """Limits how many of the admitted requests work at the same time; the others wait.

    Args:
        limit: How many.
        full: The message for a client that has waited too long.
    """

    def __init__(self, *, limit: int, full: str) -> None:
        self.limit = limit
        self._full = full
        self._semaphore = threading.Semaphore(limit)

    @contextmanager
    def slot(self, *, wait: float | None) -> Iterator[None]:
        """Hold a slot during the block.

        Args:
            wait: How long to wait for it, in seconds; None: for as long as it takes.

        Raises:
            Full: No slot was free in that time.
        """
        if not self._semaphore.acquire(timeout=wait):
            raise Full(self._full)
        try:
            yield
        finally:
            self._semaphore.release()


def hold_until_sent(response: HttpResponseBase, slots: ExitStack) -> None:
    """Let a response keep its slots until the web server has sent it, which slow readers delay.

    It is rendered here, so that slots are given back at once by a page that cannot be.
    """
    if isinstance(response, SimpleTemplateResponse):
        response.render()
    kept = slots.pop_all()
    response._resource_closers.append(kept.close)  # type: ignore[attr-defined]  # Django has no other hook
    weakref.finalize(response, kept.close)  # one that an error replaces is never closed
