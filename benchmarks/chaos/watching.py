"""Measuring stalls, when work was due and nothing came of it, and the memory of workers."""

import threading
import time
from dataclasses import dataclass, field

import psutil
import psycopg2

from benchmarks.chaos.plant import Plant

LOOK_EVERY = 0.5
# What a worker of the heuristic may take, in MB: it is some 100, may take 300 more, and is looked
# at after each run, which leaks 150; the first may count as its usual size.
WORKER_MB = 850
# What is due, and a number that grows with whatever is done about it, by kind of work.
_SQL = """
SELECT
  (SELECT count(*) FROM merchants_normalizationrequest WHERE status = 'queued'),
  (SELECT count(*) FROM merchants_normalizationrequest WHERE status <> 'queued'),
  (SELECT count(*) FROM merchants_resolution WHERE status = 'running')
     + (SELECT count(*) FROM merchants_waiter WHERE due_at <= now()),
  (SELECT coalesce(sum(attempts), 0)
     + count(*) FILTER (WHERE status IN ('resolved', 'failed')) FROM merchants_resolution),
  (SELECT count(*) FROM webhooks_delivery d JOIN webhooks_webhook w ON w.id = d.webhook_id
   WHERE d.status = 'delivering' OR d.status = 'pending' AND d.next_attempt_at <= now()
     AND (w.paused_until IS NULL OR w.paused_until <= now())),
  (SELECT count(*) FROM webhooks_deliveryattempt)
"""
KINDS = ("admission", "heuristic", "delivery")


@dataclass
class Stall:
    """How one kind of work got on."""

    longest: float = 0.0
    at: float = 0.0
    since: float | None = None
    done: int = -1
    history: list[tuple[float, float]] = field(default_factory=list)


class Watcher(threading.Thread):
    """Looks at the rows twice a second until it is stopped.

    Time in which the database does not answer counts as a stall too.

    Args:
        plant: What is watched.
    """

    def __init__(self, plant: Plant) -> None:
        super().__init__(name="watcher", daemon=True)
        self.stalls = {kind: Stall() for kind in KINDS}
        self.latest = dict.fromkeys(KINDS, 0)
        self.largest_worker = 0.0  # MB
        self._plant = plant
        self._begun = time.monotonic()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self.join()

    @property
    def longest(self) -> float:
        """The longest stall of any kind, in seconds."""
        return max(stall.longest for stall in self.stalls.values())

    def run(self) -> None:
        """Look."""
        while not self._stopping.wait(LOOK_EVERY):
            self.largest_worker = max(
                [self.largest_worker, *map(_megabytes, self._plant.workers())]
            )
            try:
                [row] = self._plant.database.rows(_SQL)
            except psycopg2.Error:
                continue
            now = time.monotonic()
            for number, kind in enumerate(KINDS):
                due, done = int(row[2 * number]), int(row[2 * number + 1])
                self.latest[kind] = due
                self._note(self.stalls[kind], due, done, now)

    def _note(self, stall: Stall, due: int, done: int, now: float) -> None:
        if stall.since is not None:
            # Also when it has just ended: it lasted until now at most.
            length = now - stall.since
            if length > stall.longest:
                stall.longest, stall.at = length, stall.since - self._begun
        if not due or done != stall.done:
            stall.since = now if due else None
        stall.done = done


def _megabytes(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0  # it has just ended
