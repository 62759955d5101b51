"""How many workers of one cluster may send at the same time.

Others must stay free: what comes in is admitted by the same cluster. A slot is a byte of a file
without a name that the workers inherit from their cluster; whoever locks the byte holds the slot.
The kernel releases it when its holder ends, however that comes about.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings

_file: IO[bytes] | None = None


def create() -> None:
    """Make the slots of this cluster; call it before its workers are forked."""
    global _file
    _file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process lives


@contextmanager
def acquire() -> Iterator[bool]:
    """Hold a slot for the time of the block, and say whether there was one."""
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
    """Return how many slots there are: all workers of the quick queue's cluster but one."""
    return max(1, settings.Q_CLUSTER["workers"] - 1)


def _lock(file: IO[bytes], number: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except OSError:
        return False
    return True
