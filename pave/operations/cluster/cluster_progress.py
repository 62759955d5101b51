"""Detects from counters whether a cluster makes progress. Pure.

A single worker that hangs is noticed in ``sentinel``.
"""

from dataclasses import dataclass, field

# An idle worker takes the next task at once. If one has been idle for this long while tasks were
# waiting, then their distribution, or the collection of results, is broken.
IDLE_SECONDS = 12.0
# A pusher polls many times a second, or once in five (SQS), unless the local queue is full.
UNFETCHED_SECONDS = 15.0


@dataclass
class Progress:
    """A cluster's progress: what it has done so far, and since when it has done nothing.

    Args:
        now: The present, in seconds of the monotonic clock.
        longest: The longest that anything may go without a task done, in seconds: more than a
            task's time-out.
    """

    now: float
    longest: float
    _done: int = 0
    _fetched: int = 0
    _done_at: float = field(init=False)
    _fetched_at: float = field(init=False)
    _idle_since: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._done_at = self._fetched_at = self.now

    def check(
        self, *, now: float, done: int, fetched: int, idle: set[int], can_enqueue: bool
    ) -> str | None:
        """Return the reason of a stall, or None.

        Call it every second or so, in a cluster that always has a task to do, if only a canary.

        Args:
            now: The present.
            done: How many tasks have been done.
            fetched: How often the pusher has polled for tasks.
            idle: Process ids of workers that have no task.
            can_enqueue: Whether the local queue could take a task.
        """
        if done != self._done:
            self._done, self._done_at = done, now
        if fetched != self._fetched or not can_enqueue:
            self._fetched, self._fetched_at = fetched, now
        self._idle_since = {pid: self._idle_since.get(pid, now) for pid in idle}
        if now - self._fetched_at > UNFETCHED_SECONDS:
            return "pusher_stands_still"
        idle_for = now - self._done_at
        if idle_for > IDLE_SECONDS and any(
            now - since > IDLE_SECONDS for since in self._idle_since.values()
        ):
            return "idle_workers_get_no_task"
        if idle_for > self.longest:
            return "no_task_gets_done"
        return None
