"""django-q2's sentinel, hardened: it ends workers that hang, and a cluster without progress.

django-q2 reads the queue's name from the environment, once, when it is imported; so import this
module only when it is set (``pave.operations.cluster`` does).
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full
from types import FrameType
from typing import Any

from django.utils import timezone

from pave.core import clock
from pave.operations.cluster import memory_limit, process_control, shutdown
from pave.operations.cluster.cluster_progress import Progress
from pave.operations.cluster.crash_recovery import requeue
from pave.operations.cluster.db_retry import ResilientBroker
from pave.operations.cluster.django_q2 import (
    Conf,
    Sentinel,
    get_mp_context,
    post_execute,
    post_execute_in_worker,
    pre_execute,
    worker,
)
from pave.operations.cluster.status_pipe import STALLED, Reporter
from pave.operations.cluster.worker_names import worker_name

logger = logging.getLogger(__name__)

CANARY_INTERVAL = 4.0
# How long running tasks may go on in a stalled cluster before it is restarted, in seconds.
WIND_DOWN_SECONDS = 15.0
# How long the cluster waits for a worker's lock, which a dead process may hold, in seconds.
LOCK_SECONDS = 5.0
# Idle workers that have not stopped after this time will not stop any more.
STOP_SECONDS = 3.0


# Whether the last task of this worker failed, and left rows claimed.
_failed = False


def canary() -> None:
    """Do nothing: its completion shows that the cluster works."""


def _after_task(task: dict[str, Any], **kwargs: Any) -> None:
    global _failed
    _failed = _failed or not task.get("success", True)
    if task.get("success") and task.get("result"):  # one that found nothing has loaded nothing
        memory_limit.note_loaded(task["func"])


def _before_task(**kwargs: Any) -> None:
    """Requeue what a failed task had claimed; a worker has one task at a time."""
    global _failed
    memory_limit.start()
    clock.synchronize()
    if _failed:
        _failed = not requeue(worker_name())


class GuardedSentinel(Sentinel):
    """Starts the processes of a cluster, and detects when they make no progress.

    Args:
        queue: Name of the queue.
        niceness: Of the workers.
        reporter: The pipe to the supervisor.
    """

    broker: Any  # made by the parent

    def __init__(self, *, queue: str, niceness: int, reporter: Reporter) -> None:
        self.queue = queue
        self.niceness = niceness
        self.report = reporter
        self.stalled = ""
        # Each has one writer and one reader: no lock is needed, which a dead process could hold.
        self.done = multiprocessing.RawValue("L", 0)
        self.fetched = multiprocessing.RawValue("L", 0)
        # Held by this reference: a signal's receivers are kept weakly.
        self.count_done = lambda **kwargs: self._count_done()
        post_execute.connect(self.count_done)
        pre_execute.connect(_before_task)
        post_execute_in_worker.connect(_after_task)
        super().__init__(
            multiprocessing.Event(), multiprocessing.Event(), uuid.uuid4(), start=False
        )
        self.broker = ResilientBroker(self.broker, self._count_fetched)
        shutdown.bind(self.stop_event)
        # Only a flag: setting the event in the handler would deadlock if the signal came while the
        # event was waited for.
        self.stop_requested = False
        signal.signal(signal.SIGTERM, self._request_stop)

    def spawn_process(self, target: Callable[..., Any], *args: Any) -> Any:
        process = get_mp_context().Process(
            target=process_control.enter,
            args=(target, self.niceness if target is worker else 0, os.getpid(), *args),
            name=f"{self.queue}-{target.__name__}",
            daemon=True,
        )
        if target is worker:
            process.timer = args[2]
            self.pool.append(process)
        process.start()
        return process

    def guard(self) -> None:
        """Watch until asked to stop, or until the cluster must be restarted."""
        self.start_event.set()
        logger.info("cluster.started", extra={"queue": self.queue, "pid": os.getpid()})
        started = time.monotonic()
        self.progress = Progress(started, longest=Conf.TIMEOUT + 15)
        self.replaced = 0
        self.canary_at = started
        while not self.stop_requested and not self.report.supervisor_is_gone:
            time.sleep(Conf.GUARD_CYCLE)
            self.check_processes()
            self.check_progress()
            if self.stalled:
                self.wind_down()
                os._exit(STALLED)
            self.report.alive()
        self.stop()

    def check_processes(self) -> None:
        """Replace what has ended, and what has run for too long."""
        for process in list(self.pool):
            # A worker that was killed while it held the timer's lock never gives it back.
            if not process.timer.get_lock().acquire(timeout=LOCK_SECONDS):
                self.stall("worker_kept_a_lock")
                return
            try:
                if not process.is_alive() or process.timer.value == 0:
                    self.reincarnate(process)
                elif process.timer.value > 0:
                    process.timer.value = max(0, process.timer.value - Conf.GUARD_CYCLE)
            finally:
                process.timer.get_lock().release()
        for process in (self.monitor, self.pusher):
            if not process.is_alive():
                self.reincarnate(process)

    def reincarnate(self, process: Any) -> None:
        """Restart a process, or mark the cluster as stalled.

        A pusher, a monitor, and an idle worker hold the lock of the queue that they wait at. Killed
        then, they never release it, and nothing gets through that queue again.
        """
        is_worker = process in self.pool
        if (process.exitcode or 0) < 0 and not (is_worker and _seconds_left(process) > 0):
            logger.error(
                "cluster.process_killed",
                extra={
                    "queue": self.queue,
                    "killed": process.name,
                    "pid": process.pid,
                    "signal": -process.exitcode,
                },
            )
            self.stall("process_killed")
            return
        pid = process.pid
        timed_out = is_worker and _seconds_left(process) == 0
        recycled = is_worker and _seconds_left(process) == -2
        super().reincarnate(process)
        if not is_worker or recycled:
            return
        process.join(timeout=LOCK_SECONDS)  # after a time-out it was only asked to end
        if process.is_alive():
            process.kill()
            process.join()
        logger.warning(
            "cluster.worker_timed_out" if timed_out else "cluster.worker_died",
            extra={"queue": self.queue, "pid": pid, "status": process.exitcode},
        )
        self.report.lost_worker(pid, timed_out=timed_out)
        self.replaced += 1

    def check_progress(self) -> None:
        """Send a canary through the cluster periodically, and check that tasks are done."""
        now = time.monotonic()
        if now - self.canary_at >= CANARY_INTERVAL:
            self.canary_at = now
            # If it is full, waiting tasks serve as well.
            with suppress(Full):
                self.task_queue.put_nowait(_canary_task())
        problem = self.progress.check(
            now=now,
            done=self.done.value + self.replaced,  # a new worker has all of its time
            fetched=self.fetched.value,
            idle={process.pid for process in self.pool if _seconds_left(process) == -1},
            can_enqueue=not self.task_queue.full(),
        )
        if problem:
            self.stall(problem)

    def stall(self, reason: str) -> None:
        """Mark this cluster as stalled: it must be restarted."""
        logger.error("cluster.stalled", extra={"queue": self.queue, "reason": reason})
        self.stalled = reason
        self.report.stalled(reason)

    def wind_down(self) -> None:
        """Let running tasks end for a while before a stalled cluster exits."""
        self.stop_event.set()
        end = time.monotonic() + WIND_DOWN_SECONDS
        while time.monotonic() < end and self.busy():
            self.report.alive()
            time.sleep(0.1)

    def busy(self) -> bool:
        """Return whether any task is running."""
        return any(process.is_alive() and _seconds_left(process) > 0 for process in self.pool)

    def stop(self) -> None:
        """Drop what was fetched and not started, let running tasks end, and end.

        Rows are the truth, so a dropped task is a wake-up that is sent again; and stopping takes no
        longer than the tasks that are running.
        """
        # What follows may wait for a lock that a dead process holds.
        watchdog = threading.Timer(Conf.TIMEOUT + 5, os._exit, (STALLED,))
        watchdog.daemon = True
        watchdog.start()
        self.stop_event.set()
        self.event_out.set()
        self.pusher.join(timeout=LOCK_SECONDS)
        if self.pusher.is_alive():
            self.pusher.kill()
        with suppress(Empty):
            while True:
                self.task_queue.get(timeout=0.1)
        for _ in self.pool:
            self.task_queue.put("STOP")
        give_up_at = time.monotonic() + STOP_SECONDS
        while any(process.is_alive() for process in self.pool) and time.monotonic() < give_up_at:
            if self.busy():
                give_up_at = time.monotonic() + STOP_SECONDS
            self.report.alive()
            time.sleep(0.05)
        self.result_queue.put("STOP")
        self.monitor.join(timeout=LOCK_SECONDS)
        logger.info("cluster.stopped", extra={"queue": self.queue, "pid": os.getpid()})
        # Remaining processes, if any, end with their parent.
        os._exit(0)

    def _request_stop(self, signum: int, frame: FrameType | None) -> None:
        self.stop_requested = True

    def _count_done(self) -> None:
        self.done.value += 1

    def _count_fetched(self) -> None:
        self.fetched.value += 1


def _seconds_left(process: Any) -> float:
    """Return a worker's timer, read past its lock: -1 without a task, -2 when recycled."""
    return float(process.timer.get_obj().value)


def _canary_task() -> dict[str, Any]:
    """Return a task as django-q2's pusher would put it into the local queue."""
    return {
        "id": uuid.uuid4().hex,
        "name": "canary",
        "func": f"{__name__}.canary",
        "args": (),
        "kwargs": {},
        "started": timezone.now(),
        "save": False,
    }


def start(*, queue: str, reporter: Reporter) -> None:
    """Run a cluster until it is asked to stop, or must be restarted."""
    sentinel = GuardedSentinel(
        queue=queue,
        # The heuristic uses whole cores; the web server and the quick queue have priority.
        niceness=19 if queue == "heuristic" else 0,
        reporter=reporter,
    )
    sentinel.start()
