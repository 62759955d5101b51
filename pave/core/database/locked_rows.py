"""Rows that somebody else has locked are left alone for a while.

A transaction that somebody forgot to end, in psql for instance, must not stop the work of all
clients: whoever meets a row that stays locked goes on without it, and does not wait for it again at
once.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from pave.core.database import lock_limit

# Seconds to leave a row alone: the first time, and at most. Most locks last for milliseconds.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
# How long ``update_unlocked`` waits for the rows of all updates; then for those of each; and how
# long it goes on so.
_TOGETHER_SECONDS = 2.0
_EACH_SECONDS = 0.1
_APART_SECONDS = 1.0

Key = TypeVar("Key")


class LockedRows(Generic[Key]):
    """What this process has found locked: each row is left alone twice as long as before.

    Args:
        first_pause: How long the first time, in seconds; None: ``FIRST_PAUSE``.
    """

    def __init__(self, first_pause: float | None = None) -> None:
        self._first_pause = first_pause
        self._left_until: dict[Key, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def add(self, keys: Iterable[Key]) -> int:
        """Leave rows alone; return how many of them have been locked for several seconds."""
        now = time.monotonic()
        first = FIRST_PAUSE if self._first_pause is None else self._first_pause
        for_long = 0
        with self._lock:
            self._left_until = {
                key: left for key, left in self._left_until.items() if left[0] > now - LONGEST_PAUSE
            }
            for key in keys:
                _, pause = self._left_until.get(key, (0.0, first / 2))
                pause = min(2 * pause, LONGEST_PAUSE)
                self._left_until[key] = now + pause, pause
                for_long += pause == LONGEST_PAUSE
        return for_long

    def current(self) -> set[Key]:
        """Return the rows to be left alone at present."""
        return self._left_after(time.monotonic())

    def known(self) -> set[Key]:
        """Return the rows that were locked lately: also those that are to be tried again."""
        return self._left_after(time.monotonic() - LONGEST_PAUSE)

    def _left_after(self, moment: float) -> set[Key]:
        with self._lock:
            return {key for key, (until, _) in self._left_until.items() if until > moment}


_not_updated: LockedRows[object] = LockedRows()


def update_unlocked(updates: Mapping[Key, Callable[[], object]]) -> list[Key]:
    """Make updates of rows that others update, too, but those whose rows stay locked.

    In the open transaction, or each try in one of its own. What they write refers to other rows,
    which the commit may still wait for, as long as the transaction's own limit.

    Args:
        updates: In an order that is the same everywhere, to avoid deadlocks. (Those that were
            locked lately come last, and wait for less than a deadlock takes to be found.)

    Returns:
        The keys of the updates that are not made.
    """
    current, known = _not_updated.current(), _not_updated.known()
    locked = [key for key in updates if key in current]
    left = [key for key in updates if key not in current]
    apart = [key for key in left if key in known]
    if together := [key for key in left if key not in apart]:
        try:
            with lock_limit.atomic(lock_seconds=_TOGETHER_SECONDS):
                for key in together:
                    updates[key]()
        except lock_limit.Locked:
            apart = left  # whichever it is
    end = time.monotonic() + _APART_SECONDS
    for key in apart:
        if time.monotonic() > end:
            locked.append(key)
            continue
        try:
            with lock_limit.atomic(lock_seconds=_EACH_SECONDS):
                updates[key]()
        except lock_limit.Locked:
            locked.append(key)
            _not_updated.add([key])
    return locked
