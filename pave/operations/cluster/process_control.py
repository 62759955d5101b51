"""Processes that end with their parent, by a signal of the kernel, and have a name in ``ps``.

A cluster leads a session, in which its workers are, even orphans.
"""

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
# The kernel truncates longer names.
_NAME_BYTES = 15


def die_with_parent(signum: int, parent: int) -> None:
    """Ask the kernel to send this process ``signum`` when its parent ends (prctl(2)).

    Args:
        signum: The signal.
        parent: The parent's process id; if it has ended already, the signal comes at once.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def session_of(pid: int) -> Iterator[psutil.Process]:
    """Yield the running processes of the session that ``pid`` leads, or led."""
    for process in psutil.process_iter():
        with suppress(OSError):  # it has just ended
            if os.getsid(process.pid) == pid:
                yield process


def name_process(name: str) -> None:
    """Set this process's name in ps and top (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:_NAME_BYTES], 0, 0, 0)


def enter(target: Callable[..., Any], niceness: int, parent: int, *args: Any) -> None:
    """Begin a worker, pusher or monitor process of a cluster."""
    die_with_parent(signal.SIGKILL, parent)
    name_process(f"pave-{target.__name__}")
    # Inherited from the sentinel, these would stop the whole cluster.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)
    target(*args)
