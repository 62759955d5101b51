"""How long a worker goes on polling the rows after a wake-up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pave.operations.cluster import shutdown
from pave.operations.cluster.notifications import NotificationListener
from pave.operations.cluster.wakeup import ALONE_SECONDS, AWAKE_SECONDS, CHANNEL, Wakeup

# How long an idle worker stays awake: the next row often follows soon.
LINGER_SECONDS = 1.0
# How often the rows are polled meanwhile; and how often a while after the last, if notifications
# come.
POLL_SECONDS = 0.02
QUIET_POLL_SECONDS = 0.1
# How long after the last row. Others do not notify of what follows sooner.
BUSY_SECONDS = 2 * ALONE_SECONDS

_listener = NotificationListener(CHANNEL, POLL_SECONDS)


class WorkLoop:
    """Decides whether to poll the rows again, and marks the wake-up as awake meanwhile.

    A loop ends after its time, when the cluster is to stop, or when there was nothing to do for
    a while. After it, call ``wakeup.mark_idle()``, poll once more, and send the wake-up if work is
    left or the loop ``was_busy``: then others, which saw a worker awake, may add more.

    Args:
        wakeup: The wake-up that started the worker; it need not be sent meanwhile.
        seconds: The longest that the loop may last.
    """

    def __init__(self, wakeup: Wakeup, *, seconds: float) -> None:
        self._wakeup = wakeup
        self._end = time.monotonic() + seconds
        self._active_at = time.monotonic()
        self._marked_at = 0.0

    def should_continue(self) -> bool:
        """Return whether to poll the rows again."""
        now = time.monotonic()
        if now >= self._end or now - self._active_at > LINGER_SECONDS or shutdown.requested():
            return False
        if now - self._marked_at > AWAKE_SECONDS / 3:
            self._wakeup.mark_awake()
            self._marked_at = now
        return True

    @property
    def was_busy(self) -> bool:
        """Whether there was something to do just now."""
        return time.monotonic() - self._active_at <= LINGER_SECONDS

    def touch(self) -> None:
        """Record that there was something to do."""
        self._active_at = time.monotonic()

    def pause(self, wakeup: Wakeup | None = None) -> None:
        """Wait before the next poll, or until the wake-up of the rows is sent.

        Args:
            wakeup: That of the rows, if another one started the worker.
        """
        pause(wakeup or self._wakeup, self._active_at)


def pause(wakeup: Wakeup, active_at: float) -> None:
    """Wait before the next poll, or until the wake-up is sent again.

    Args:
        wakeup: That of the rows that are polled.
        active_at: When there was something to do, in seconds of the monotonic clock.
    """
    busy = time.monotonic() - active_at < BUSY_SECONDS
    _listener.wait(POLL_SECONDS if busy else QUIET_POLL_SECONDS, payload=wakeup.task)


@contextmanager
def listening() -> Iterator[None]:
    """Around the polling of a worker: a connection that ``pause`` has opened is closed after it."""
    try:
        yield
    finally:
        _listener.close()
