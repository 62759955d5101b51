"""What ``manage.py qcluster`` runs: a supervised cluster for each queue, and the scheduler."""

import logging
import signal
import time
from types import FrameType

from django.conf import settings

from pave.operations.cluster.cluster_process import ClusterProcess
from pave.operations.cluster.scheduler import Scheduler

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
# For the scheduler's last writes, when all clusters have ended.
FINISH_SECONDS = 5.0


class Supervisor:
    """Keeps one cluster for each queue running until it is stopped.

    Args:
        queues: Names of queues.
    """

    def __init__(self, queues: tuple[str, ...]) -> None:
        self.clusters = [ClusterProcess(queue, self._report_loss) for queue in queues]
        self._scheduler = Scheduler(self.clusters)
        self._signals = 0

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; a second one cuts the grace time short."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)
        self._scheduler.start()
        # By the main thread: clusters end with the thread that started them.
        for cluster in self.clusters:
            cluster.start()
        while not self._signals:
            now = time.monotonic()
            for cluster in self.clusters:
                cluster.watch(now)
            time.sleep(TICK_SECONDS)
        self._stop()

    def _report_loss(self, what: str, how: str, name: str) -> None:
        self._scheduler.report_loss(what, how, name)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _stop(self) -> None:
        grace = {
            "quick": settings.PAVE_WEBHOOK_TIMEOUT + 10,
            "heuristic": settings.PAVE_HEURISTIC_TIMEOUT + 10,
        }
        logger.info("supervisor.stopping")
        started = time.monotonic()
        signals = self._signals
        for cluster in self.clusters:
            cluster.terminate()
        while running := [cluster for cluster in self.clusters if not cluster.has_ended()]:
            elapsed = time.monotonic() - started
            if self._signals > signals or all(
                elapsed > grace[cluster.queue] for cluster in running
            ):
                break
            time.sleep(TICK_SECONDS)
        for cluster in self.clusters:
            cluster.kill_remaining()
        self._scheduler.finish(FINISH_SECONDS)
        logger.info("supervisor.stopped", extra={"seconds": round(time.monotonic() - started, 1)})
