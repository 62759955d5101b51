"""One django-q2 cluster for one queue, hardened: run as ``python -m pave.operations.cluster QUEUE``.

django-q2's sentinel is run as this process itself. What is added to it answers known traps:

* A worker killed while it waits for a task may hold the queue's read lock, and then no worker
  gets a task ever again. The sentinel notices the death and ends the cluster, for the supervisor
  to start it anew.
* Whatever else stalls the cluster shows in a canary: a task put into the local queue that does
  not come out at the other end.
* No process outlives its parent: the kernel kills what the sentinel leaves behind.
* On SIGTERM what was fetched and not begun is dropped (rows are the truth), so that stopping takes
  no longer than the tasks that are running.
"""

import ctypes
import logging
import multiprocessing
import os
import queue as queues
import signal
import sys
import time
import uuid
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

logger = logging.getLogger("pave.operations.cluster")

# Exit status that says: start me anew, at once (EX_TEMPFAIL of sysexits.h).
STALLED = 75
CANARY_EVERY = 5.0
# How long running tasks may go on in a cluster that is about to be started anew, in seconds.
WINDING_UP = 15.0
_PR_SET_PDEATHSIG = 1


def die_with_parent(signum: int) -> None:
    """Ask the kernel to send this process ``signum`` when its parent ends (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signum)


def canary() -> None:
    """Do nothing: that it was done shows that the cluster works."""


def _enter(target: Callable[..., Any], niceness: int, *args: Any) -> None:
    """Begin a worker, pusher or monitor process."""
    die_with_parent(signal.SIGKILL)
    # Inherited from the sentinel, these would stop the whole cluster; see ``stop``.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(niceness)
    target(*args)


def _make_sentinel() -> type:
    """Return the sentinel's class; django-q2 can be imported once its queue is chosen."""
    from django import db
    from django_q.cluster import Sentinel, get_mp_context
    from django_q.conf import Conf
    from django_q.signals import post_execute
    from django_q.worker import worker

    from pave.operations import shutdown
    from pave.operations.handing_back import hand_back
    from pave.operations.identity import worker_name

    class GuardedSentinel(Sentinel):
        """django-q2's sentinel, which also watches that the cluster makes progress."""

        def __init__(self, *, queue: str, niceness: int, stall_seconds: float, report: int) -> None:
            self.queue = queue
            self.niceness = niceness
            self.stall_seconds = stall_seconds
            self.report_pipe = report
            self.stalled = False
            self.done: Synchronized[int] = multiprocessing.Value("L", 0)
            self.done_seen = 0
            self.canary_at = self.progress_at = time.monotonic()
            # Held by this reference: a signal's receivers are kept weakly.
            self.count_done = lambda **kwargs: self._count_done()
            post_execute.connect(self.count_done)
            super().__init__(
                multiprocessing.Event(), multiprocessing.Event(), uuid.uuid4(), start=False
            )
            shutdown.bind(self.stop_event)
            # Only noted: an event that is set from within a signal waits for itself for ever, if
            # the signal came while the event was waited for.
            self.told_to_stop = False
            signal.signal(signal.SIGTERM, self._note_signal)

        def spawn_process(self, target: Callable[..., Any], *args: Any) -> Any:
            process = get_mp_context().Process(
                target=_enter,
                args=(target, self.niceness if target is worker else 0, *args),
                name=f"{self.queue}-{target.__name__}",
                daemon=True,
            )
            if target is worker:
                process.timer = args[2]
                self.pool.append(process)
            process.start()
            return process

        def reincarnate(self, process: Any) -> None:
            idle_death = (
                process in self.pool
                and not process.is_alive()
                and process.timer.value == -1
                and process.exitcode != 0
            )
            if idle_death:
                logger.error("cluster.idle_worker_died queue=%s pid=%s", self.queue, process.pid)
                self.stalled = True
                return
            pid = process.pid
            super().reincarnate(process)
            if process.exitcode != 0:
                process.join(timeout=5)  # after a time-out it was only asked to end
                if process.is_alive():
                    process.kill()
                    process.join()
                hand_back(worker_name(pid))
                db.connections.close_all()

        def guard(self) -> None:
            self.start_event.set()
            logger.info("cluster.started queue=%s pid=%s", self.queue, os.getpid())
            while not self.told_to_stop:
                time.sleep(Conf.GUARD_CYCLE)
                self.check_processes()
                self.check_progress()
                if self.stalled:
                    self.wind_up()
                    os._exit(STALLED)
                os.write(self.report_pipe, b".")
            self.stop_event.set()
            self.stop()

        def check_processes(self) -> None:
            """Replace what has ended, and what has run for too long."""
            for process in list(self.pool):
                # A worker that was killed while it held the timer's lock never gives it back.
                if not process.timer.get_lock().acquire(timeout=5):
                    self.stalled = True
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

        def check_progress(self) -> None:
            """Send canaries through the cluster, and see whether anything comes out of it."""
            now = time.monotonic()
            if self.done.value != self.done_seen:
                self.done_seen = self.done.value
                self.progress_at = now
            if now - self.canary_at >= CANARY_EVERY:
                self.canary_at = now
                try:
                    self.task_queue.put_nowait(_canary_task())
                except queues.Full:
                    pass  # there is work waiting, which serves as well
            if now - self.progress_at > self.stall_seconds:
                logger.error("cluster.no_progress queue=%s", self.queue)
                self.stalled = True

        def wind_up(self) -> None:
            """Let running tasks end before a stalled cluster is left, for a while."""
            self.stop_event.set()
            end = time.monotonic() + WINDING_UP
            while time.monotonic() < end and any(
                process.is_alive() and process.timer.value > 0 for process in self.pool
            ):
                os.write(self.report_pipe, b".")
                time.sleep(0.1)

        def stop(self) -> None:
            self.event_out.set()
            self.pusher.join(timeout=5)
            if self.pusher.is_alive():
                self.pusher.kill()
            while True:
                try:
                    self.task_queue.get(timeout=0.1)
                except queues.Empty:
                    break
            super().stop()
            logger.info("cluster.stopped queue=%s pid=%s", self.queue, os.getpid())

        def _note_signal(self, signum: int, frame: FrameType | None) -> None:
            self.told_to_stop = True

        def _count_done(self) -> None:
            with self.done.get_lock():
                self.done.value += 1

    return GuardedSentinel


def _canary_task() -> dict[str, Any]:
    """Return a task as django-q2's pusher would put it into the local queue."""
    from django.utils import timezone

    return {
        "id": uuid.uuid4().hex,
        "name": "canary",
        "func": "pave.operations.cluster.canary",
        "args": (),
        "kwargs": {},
        "started": timezone.now(),
        "save": False,
    }


def main(queue: str, report_pipe: int) -> None:
    """Run the cluster of ``queue`` until SIGTERM, or until it must be started anew.

    Args:
        queue: ``quick`` or ``heuristic``.
        report_pipe: File descriptor that gets a byte in every round of the sentinel.
    """
    die_with_parent(signal.SIGTERM)
    # django-q2 reads the queue's name from here, once, when it is imported.
    os.environ["Q_CLUSTER_NAME"] = queue
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pave.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.utils.module_loading import import_string
    from django_q.conf import Conf

    # Before the workers are forked, so that none of them has to do it, and all share the memory.
    for path in settings.PAVE_PRELOADS:
        import_string(path)()
    sentinel = _make_sentinel()(
        queue=queue,
        # The heuristic burns whole cores; the web server and the quick queue go before it.
        niceness=19 if queue == "heuristic" else 0,
        stall_seconds=Conf.TIMEOUT + 15,
        report=report_pipe,
    )
    sentinel.start()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
