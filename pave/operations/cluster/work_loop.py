"""A listener's time at work after its bell rang."""

import time

from pave.operations.cluster import shutdown
from pave.operations.cluster.wakeup import AWAKE_SECONDS, Bell

# How long a listener stays awake with nothing to do: the next row is often close behind.
LINGER_SECONDS = 1.0
# How often the rows are looked at meanwhile.
LOOK_SECONDS = 0.02


class Shift:
    """Says for how long to go on looking at the rows, and keeps the bell informed.

    A shift ends after its time, when the cluster is to stop, or when there was nothing to do for
    a while. After it, call ``bell.fall_asleep()``, look once more, and ring if work is left or the
    shift ``ended_busy``: then more may come from those who count on a listener that is awake.

    Args:
        bell: The bell that need not ring meanwhile.
        seconds: The longest that the shift may last.
    """

    def __init__(self, bell: Bell, *, seconds: float) -> None:
        self._bell = bell
        self._end = time.monotonic() + seconds
        self._active = time.monotonic()
        self._said = 0.0

    def goes_on(self) -> bool:
        """Return whether to look at the rows again."""
        now = time.monotonic()
        if now >= self._end or now - self._active > LINGER_SECONDS or shutdown.requested():
            return False
        if now - self._said > AWAKE_SECONDS / 3:
            self._bell.stay_awake()
            self._said = now
        return True

    @property
    def ended_busy(self) -> bool:
        """Whether there was something to do just now."""
        return time.monotonic() - self._active <= LINGER_SECONDS

    def worked(self) -> None:
        """Note that there was something to do."""
        self._active = time.monotonic()

    def rest(self) -> None:
        """Wait a moment before the next look."""
        time.sleep(LOOK_SECONDS)
