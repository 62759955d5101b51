"""``Prefer: wait=N`` (RFC 7240): an answer that waits a while for its result.

Those who wait hold no database connection: one thread in each process looks for all of them, with
one query at a time, and wakes them. There are never more than ``PAVE_MAX_WAITING`` in a process,
which has more threads than that, so that they keep nobody out.
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
_LOOK_SECONDS = 0.05
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=[,;]|$)", re.IGNORECASE)

Look = Callable[[Collection[UUID]], Collection[UUID]]


def preferred_seconds(request: Request) -> int:
    """Return for how long the client would like to wait: 0 to 10; what is no number is ignored."""
    match = _WAIT.search(request.META.get("HTTP_PREFER", ""))
    return min(int(match[1]), MAX_SECONDS) if match else 0


class Unfinished(Response):
    """An answer that may become a better one after the commit, by waiting a while.

    Args:
        data: The answer as it would be given now.
        status: Likewise.
        headers: Likewise.
        finish: Returns the answer to give; called outside any transaction.
    """

    def __init__(
        self, data: Any, status: int, headers: dict[str, str], finish: Callable[[], Response]
    ) -> None:
        super().__init__(data, status=status, headers=headers)
        self.finish = finish


@dataclass(slots=True, eq=False)
class _Entry:
    """Somebody who waits."""

    subject: UUID
    client: int
    finished: threading.Event = field(default_factory=threading.Event)


class Watcher:
    """Lets requests wait until what they are about is finished.

    Args:
        look: Returns those of some ids that are finished, in one query.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._waiting: list[_Entry] = []
        self._thread: threading.Thread | None = None

    def wait(self, subject: UUID, seconds: float, *, client: int) -> bool | None:
        """Wait until ``subject`` is finished, and give the thread's connection back meanwhile.

        Args:
            subject: Its id.
            seconds: The longest.
            client: Who waits, by primary key; none has more than half of the places.

        Returns:
            Whether it is finished; None if too many wait already, and this one has not waited.
        """
        entry = _Entry(subject, client)
        most = settings.PAVE_MAX_WAITING
        with self._lock:
            of_client = sum(one.client == client for one in self._waiting)
            if len(self._waiting) >= most or of_client >= max(1, most // 2):
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
                thread.start()  # or there are too many, and the next one tries again
                self._thread = thread

    def _watch(self) -> None:
        """Look for all that wait until nobody does."""
        try:
            while True:
                with self._lock:
                    waiting = [entry for entry in self._waiting if not entry.finished.is_set()]
                    if not self._waiting:
                        self._thread = None
                        return
                if waiting:
                    self._wake(waiting)
                time.sleep(_LOOK_SECONDS)
        finally:
            connection.close()

    def _wake(self, waiting: list[_Entry]) -> None:
        try:
            finished = set(self._look({entry.subject for entry in waiting}))
        except Exception:
            # The database is away for a moment; those who wait get a 202 if it stays away.
            logger.warning("waiting.no_look", exc_info=True)
            connection.close()
            return
        for entry in waiting:
            if entry.subject in finished:
                entry.finished.set()
