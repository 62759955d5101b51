"""How many workers of one cluster may do one kind of work at the same time.

One of them must stay free for the other kinds: admission and sending both go on for as long as
there is work. Another may do exclusive work (``Wakeup.exclusive``), such as a mail to a server that
says nothing.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings


class WorkerSlots:
    """A slot for each worker of a cluster but two.

    A slot is a byte of an unnamed file that the workers inherit from their cluster; the process
    that locks the byte holds the slot. The kernel releases it when the process ends, however that
    happens.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def create(self) -> None:
        """Create the slots of this cluster; call it before its workers are forked."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process lives

    @contextmanager
    def acquire(self) -> Iterator[bool]:
        """Hold a slot during the block; yield whether there was a free one."""
        file = self._file
        if file is None:  # not in a cluster
            yield True
            return
        number = next((number for number in range(count()) if _lock(file, number)), None)
        try:
            yield number is not None
        finally:
            if number is not None:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, number)


def count() -> int:
    """Return how many slots there are: all workers of the quick queue's cluster but two."""
    return max(1, settings.Q_CLUSTER["workers"] - 2)


def _lock(file: IO[bytes], number: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except OSError:
        return False
    return True
