"""``Prefer: wait=N`` (RFC 7240): a response that waits a while for its result.

Waiting requests hold no database connection: one thread in each process polls for all of them,
with one query at a time, and wakes them. There are never more than ``PAVE_MAX_WAITING`` in a
process, which has more threads than that, so that others are served.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from rest_framework.request import Request
from rest_framework.response import Response

logger = logging.getLogger(__name__)

MAX_SECONDS = 10
_POLL_SECONDS = 0.05
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?(\d{1,100})\"?\s*(?=[,;]|$)", re.IGNORECASE)

FindFinished = Callable[[Collection[UUID]], Collection[UUID]]


def preferred_seconds(request: Request) -> int:
    """Return the seconds that the client will wait, from 0 to 10; invalid values are ignored."""
    match = _WAIT.search(request.META.get("HTTP_PREFER", ""))
    return min(int(match[1]), MAX_SECONDS) if match else 0


class Unfinished(Response):
    """A response that can be replaced after the commit, by waiting for the result.

    Args:
        data: The body of the response without waiting.
        status: Its status.
        headers: Its headers.
        finish: Waits and returns the response to send; called outside any transaction.
    """

    def __init__(
        self, data: Any, status: int, headers: dict[str, str], finish: Callable[[], Response]
    ) -> None:
        super().__init__(data, status=status, headers=headers)
        self.finish = finish


@dataclass(slots=True, eq=False)
class _Entry:
    """A waiting request."""

    subject: UUID
    client: int
    finished: threading.Event = field(default_factory=threading.Event)


class Watcher:
    """Lets requests wait until their subjects are finished.

    Args:
        find_finished: Returns those of some ids that are finished, in one query.
    """

    def __init__(self, find_finished: FindFinished) -> None:
        self._find_finished = find_finished
        self._lock = threading.Lock()
        self._waiting: list[_Entry] = []
        self._thread: threading.Thread | None = None

    def wait(self, subject: UUID, seconds: float, *, client: int) -> bool | None:
        """Wait until ``subject`` is finished, and release the database connection meanwhile.

        Args:
            subject: Its id.
            seconds: How long at most.
            client: The waiting client, by primary key; none gets more than half of the capacity.

        Returns:
            Whether it is finished; None if too many wait already and this one did not wait.
        """
        entry = _Entry(subject, client)
        limit = settings.PAVE_MAX_WAITING
        with self._lock:
            of_client = sum(waiting.client == client for waiting in self._waiting)
            if len(self._waiting) >= limit or of_client >= max(1, limit // 2):
                return None
            self._waiting.append(entry)
        try:
            if not connection.in_atomic_block:
                connection.close()
            self._start_watching()
            return entry.finished.wait(seconds)
        finally:
            with self._lock:
                self._waiting.remove(entry)

    def _start_watching(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._watch, name="watcher", daemon=True)
                thread.start()  # if this raises, the next request tries again
                self._thread = thread

    def _watch(self) -> None:
        """Poll for all waiting requests until there are none."""
        try:
            while True:
                with self._lock:
                    waiting = [entry for entry in self._waiting if not entry.finished.is_set()]
                    if not self._waiting:
                        self._thread = None
                        return
                if waiting:
                    self._wake(waiting)
                time.sleep(_POLL_SECONDS)
        finally:
            connection.close()

    def _wake(self, waiting: list[_Entry]) -> None:
        try:
            finished = set(self._find_finished({entry.subject for entry in waiting}))
        except Exception:
            # The database is unavailable; the waiting requests get a 202 if it stays so.
            logger.warning("waiting.no_look", exc_info=True)
            connection.close()
            return
        for entry in waiting:
            if entry.subject in finished:
                entry.finished.set()
