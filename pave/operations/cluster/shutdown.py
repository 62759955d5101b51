"""Whether the cluster of this process is to stop, for tasks that work through rows."""

from multiprocessing.synchronize import Event

_stop: Event | None = None


def bind(stop: Event) -> None:
    """Let ``requested`` answer from ``stop``, in this process and those forked from it."""
    global _stop
    _stop = stop


def requested() -> bool:
    """Return whether to stop at the next safe point."""
    return _stop is not None and _stop.is_set()
