"""Judging from the outside whether a cluster gets anywhere. Pure."""

from dataclasses import dataclass, field

# A worker with nothing to do takes the next task at once. If one has had nothing to do for so
# long, and tasks were waiting, then what hands them out, or takes the results, is broken.
IDLE_SECONDS = 12.0
# A pusher looks for tasks many times a second, or once in five (SQS), unless it has no room.
UNFETCHED_SECONDS = 15.0


@dataclass
class Progress:
    """What a cluster has done so far, and since when it has done nothing.

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

    def look(
        self, *, now: float, done: int, fetched: int, idle: set[int], has_room: bool
    ) -> str | None:
        """Return what is wrong, or None.

        Call it every second or so, in a cluster that always has a task to do, if only a canary.

        Args:
            now: The present.
            done: How many tasks have come out at the other end.
            fetched: How often the pusher has looked for tasks.
            idle: Process ids of workers that have no task.
            has_room: Whether the pusher could pass on a task if it had one.
        """
        if done != self._done:
            self._done, self._done_at = done, now
        if fetched != self._fetched or not has_room:
            self._fetched, self._fetched_at = fetched, now
        self._idle_since = {pid: self._idle_since.get(pid, now) for pid in idle}
        if now - self._fetched_at > UNFETCHED_SECONDS:
            return "pusher_stands_still"
        quiet = now - self._done_at
        if quiet > IDLE_SECONDS and any(
            now - since > IDLE_SECONDS for since in self._idle_since.values()
        ):
            return "idle_workers_get_no_task"
        if quiet > self.longest:
            return "no_task_gets_done"
        return None
