"""A limit in time for what has none of its own."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeUp(BaseException):
    """A block exceeded its time limit.

    Not an ``Exception``, so that code that catches all exceptions does not catch it.
    """


@contextmanager
def time_limit(seconds: float, *, cpu_seconds: float | None = None) -> Iterator[None]:
    """Raise TimeUp in the block when its time is up; in a main thread only.

    It replaces django-q2's alarm for the rest of the task. Code that does not return to Python is
    interrupted by neither; the cluster kills such a worker.

    Args:
        seconds: Of wall time, which also passes while a busy machine runs other processes.
        cpu_seconds: Of CPU time of this process.
    """

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    over = False

    def ring(signum: int, frame: FrameType | None) -> None:
        nonlocal over
        if not over:
            over = True
            raise TimeUp

    limits = [(signal.SIGALRM, signal.ITIMER_REAL, seconds)]
    if cpu_seconds is not None:
        limits.append((signal.SIGPROF, signal.ITIMER_PROF, cpu_seconds))
    before = [signal.signal(number, ring) for number, _, _ in limits]
    for _, timer, after in limits:
        signal.setitimer(timer, after)
    try:
        try:
            yield
        finally:
            over = True  # or the alarm came just here, which it does once
    finally:
        for (number, timer, _), handler in zip(limits, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
