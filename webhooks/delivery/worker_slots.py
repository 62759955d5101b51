"""How many workers of one cluster may send at the same time.

Others must stay free: what comes in is admitted by the same cluster. A seat is a byte of a file
that has no name and that the workers inherit from their cluster; whoever locks the byte has the
seat. The kernel gives it back when its holder ends, however that comes about.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings

_file: IO[bytes] | None = None


def lay_out() -> None:
    """Make the seats of this cluster; call it before its workers are forked."""
    global _file
    _file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process lives


@contextmanager
def seat() -> Iterator[bool]:
    """Take a seat for the time of the block, and say whether there was one."""
    if _file is None:  # not in a cluster: nobody to share with
        yield True
        return
    number = next((number for number in range(count()) if _lock(_file, number)), None)
    try:
        yield number is not None
    finally:
        if number is not None:
            fcntl.lockf(_file, fcntl.LOCK_UN, 1, number)


def count() -> int:
    """Return how many seats there are: all workers of the quick queue's cluster but one."""
    return max(1, settings.Q_CLUSTER["workers"] - 1)


def _lock(file: IO[bytes], number: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except OSError:
        return False
    return True
