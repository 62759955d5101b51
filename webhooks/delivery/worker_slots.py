"""How many workers of one cluster may send at the same time.

The others must stay free: the same cluster admits requests. A slot is a byte of an unnamed file
that the workers inherit from their cluster; the process that locks the byte holds the slot. The
kernel releases it when the process ends, however that happens.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from django.conf import settings

_file: IO[bytes] | None = None


def create() -> None:
    """Create the slots of this cluster; call it before its workers are forked."""
    global _file
    _file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process lives


@contextmanager
def acquire() -> Iterator[bool]:
    """Hold a slot during the block; yield whether there was a free one."""
    if _file is None:  # not in a cluster
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
