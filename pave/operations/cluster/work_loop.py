"""How long a worker goes on looking at the rows after it was woken."""

import time

from pave.operations.cluster import shutdown
from pave.operations.cluster.wakeup import AWAKE_SECONDS, Wakeup

# How long a worker stays awake with nothing to do: the next row is often close behind.
LINGER_SECONDS = 1.0
# How often the rows are looked at meanwhile.
LOOK_SECONDS = 0.02


class WorkLoop:
    """Says whether to look at the rows again, and marks the wake-up as awake meanwhile.

    A loop ends after its time, when the cluster is to stop, or when there was nothing to do for
    a while. After it, call ``wakeup.mark_idle()``, look once more, and send the wake-up if work is
    left or the loop ``was_busy``: then more may come from those who saw a worker awake.

    Args:
        wakeup: What woke the worker; it need not be sent meanwhile.
        seconds: The longest that the loop may last.
    """

    def __init__(self, wakeup: Wakeup, *, seconds: float) -> None:
        self._wakeup = wakeup
        self._end = time.monotonic() + seconds
        self._active = time.monotonic()
        self._marked = 0.0

    def should_continue(self) -> bool:
        """Return whether to look at the rows again."""
        now = time.monotonic()
        if now >= self._end or now - self._active > LINGER_SECONDS or shutdown.requested():
            return False
        if now - self._marked > AWAKE_SECONDS / 3:
            self._wakeup.mark_awake()
            self._marked = now
        return True

    @property
    def was_busy(self) -> bool:
        """Whether there was something to do just now."""
        return time.monotonic() - self._active <= LINGER_SECONDS

    def touch(self) -> None:
        """Note that there was something to do."""
        self._active = time.monotonic()

    def pause(self) -> None:
        """Wait a moment before the next look."""
        time.sleep(LOOK_SECONDS)
