"""Rows that somebody else has locked are left alone for a while.

A transaction that somebody forgot to end, in psql for instance, must not stop the work of all
clients: whoever meets a row that stays locked goes on without it, and does not wait for it again at
once.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pave.core.database import lock_limit

# Seconds to leave a row alone: the first time, and at most. Most locks last for milliseconds.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
# How long a lock is waited for, in seconds, by who goes from one to the next to find whose it is.
EACH_SECONDS = 0.1
# How long ``update_unlocked`` waits for the rows of all updates; and how long it goes on with each.
_TOGETHER_SECONDS = 2.0
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


@dataclass(frozen=True, slots=True)
class NotDone(Generic[Key]):
    """For whom something was not done: somebody has locked their rows, or there was no time."""

    locked: Sequence[Key]
    untried: Sequence[Key]


def do_unlocked(
    keys: Sequence[Key],
    do: Callable[[Sequence[Key], float], object],
    *,
    known: Collection[object] = (),
    together_seconds: float | None,
    apart_seconds: float,
) -> NotDone[Key]:
    """Do something for many in one transaction, or for each in one of its own if rows are locked.

    Args:
        keys: Whom or what it is done for.
        do: Does it for some of them, and waits for each lock as many seconds as it is told. It
            raises ``Locked`` if one is not got, and is then called again for each: what it has
            changed in objects by then must not matter.
        known: Those that were locked lately. They are tried apart from the others.
        together_seconds: How long locks are waited for that all need; None: each is tried apart.
        apart_seconds: After this no other one is tried apart.
    """
    apart: Sequence[Key] = keys
    if together_seconds is not None:
        apart = [key for key in keys if key in known]
        try:
            if together := [key for key in keys if key not in known]:
                do(together, together_seconds)
        except lock_limit.Locked:
            apart = keys  # whoever it is
    locked: list[Key] = []
    end = time.monotonic() + apart_seconds
    for number, key in enumerate(apart):
        if time.monotonic() > end:
            return NotDone(locked, apart[number:])
        try:
            do([key], EACH_SECONDS)
        except lock_limit.Locked:
            locked.append(key)
    return NotDone(locked, ())


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

    def update(keys: Sequence[Key], lock_seconds: float) -> None:
        with lock_limit.atomic(lock_seconds=lock_seconds):
            for key in keys:
                updates[key]()

    left_alone = _not_updated.current()
    left = do_unlocked(
        [key for key in updates if key not in left_alone],
        update,
        known=_not_updated.known(),
        together_seconds=_TOGETHER_SECONDS,
        apart_seconds=_APART_SECONDS,
    )
    _not_updated.add(left.locked)
    return [*(key for key in updates if key in left_alone), *left.locked, *left.untried]
