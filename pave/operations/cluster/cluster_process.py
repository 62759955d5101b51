"""The process of one queue's cluster, as its supervisor controls it."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
from django.conf import settings
from django.utils import timezone

from pave.core import clock
from pave.operations.cluster.process_control import session_of
from pave.operations.cluster.status_pipe import STALLED, Reports
from pave.operations.cluster.worker_names import CLUSTER_NAME, new_cluster_name, worker_of

logger = logging.getLogger(__name__)

# A sentinel reports twice a second. No report for this long means that it hangs.
REPORT_TIMEOUT = 20.0
# While it starts it needs longer: it loads the catalogue first.
START_TIMEOUT = 60.0
# Pauses before a cluster that keeps ending is restarted, in seconds.
BACK_OFF = (0.0, 1.0, 2.0, 5.0, 10.0)
# A cluster that ran this long does not keep ending.
STABLE_SECONDS = 60.0


class ClusterProcess:
    """The process of one queue's cluster.

    Args:
        queue: Name of the queue.
        on_loss: Called with what was lost ("cluster" or "worker"), how, and the name under which
            it had claimed rows.
    """

    def __init__(self, queue: str, on_loss: Callable[[str, str, str], None]) -> None:
        self.queue = queue
        self.restarts = 0
        self.name = ""
        self._on_loss = on_loss
        self._failures = 0
        self._start_at = 0.0
        self._reason = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The cluster's process id, or 0 while there is none."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether there is a process; it may be ending."""
        return self._process is not None

    def start(self) -> None:
        """Start the cluster, in a session of its own, which Ctrl-C does not reach."""
        read_end, write_end = os.pipe()
        self._reports = Reports(read_end)
        self.name = new_cluster_name()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pave.operations.cluster"),
                *(self.queue, str(write_end), str(os.getpid())),
            ],
            cwd=settings.BASE_DIR,
            env={**os.environ, CLUSTER_NAME: self.name},
            pass_fds=[write_end],
            start_new_session=True,
        )
        os.close(write_end)
        clock.synchronize()
        self.started_at = timezone.now()
        self._reason = ""
        self._started = time.monotonic()
        self._reported_at = 0.0

    def watch(self, now: float) -> None:
        """Restart the cluster if it has ended or hangs.

        Args:
            now: Seconds of the monotonic clock.
        """
        if self._process is None:
            if now >= self._start_at:
                self.restarts += 1
                self.start()
            return
        status = (
            self._process.poll()
        )  # before reading the reports, so that the last ones are complete
        self._read_reports(now)
        silent = (
            now - self._reported_at > REPORT_TIMEOUT
            if self._reported_at
            else now - self._started > START_TIMEOUT
        )
        if status is None and not silent:
            return
        reason = self._reason or ("silent" if status is None else "died")
        logger.error(
            "cluster.lost",
            extra={"queue": self.queue, "pid": self.pid, "reason": reason, "status": status},
        )
        stable = now - self._started > STABLE_SECONDS or status == STALLED
        self._failures = 0 if stable else self._failures + 1
        self._start_at = now + BACK_OFF[min(self._failures, len(BACK_OFF) - 1)]
        self.kill_remaining(reason)

    def terminate(self) -> None:
        """Ask the cluster to finish what is running, and end."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def has_ended(self) -> bool:
        """Return whether the process is gone."""
        return self._process is None or self._process.poll() is not None

    def kill_remaining(self, reason: str = "stopped") -> None:
        """Kill the cluster's remaining processes and report the loss, so that rows are requeued."""
        if self._process is None:
            return
        for process in session_of(self._process.pid):
            with suppress(psutil.Error):  # it has just ended
                process.kill()
        self._process.wait()
        self._reports.close()
        self._process = None
        self._on_loss("cluster", reason, self.name)

    def _read_reports(self, now: float) -> None:
        for report in self._reports.read():
            self._reported_at = now
            if report.kind == "stalled":
                self._reason = report.detail
            elif report.kind != "alive":
                name = worker_of(self.name, int(report.detail))
                self._on_loss("worker", report.kind.removeprefix("worker_"), name)
