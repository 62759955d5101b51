"""What ``manage.py qcluster`` runs: a cluster for each queue, watched, and the clock."""

import logging
import signal
import time
from types import FrameType

from django.conf import settings

from pave.operations.cluster.cluster_process import ClusterProcess
from pave.operations.cluster.scheduler import Clock

logger = logging.getLogger(__name__)

QUEUES = ("quick", "heuristic")
ROUND_SECONDS = 0.25
# For the last words to the database, when all clusters have ended.
SIGN_OFF_SECONDS = 5.0


class Supervisor:
    """Keeps one cluster for each queue at work until it is told to stop.

    Args:
        queues: Names of queues.
    """

    def __init__(self, queues: tuple[str, ...]) -> None:
        self.clusters = [ClusterProcess(queue, self._note_loss) for queue in queues]
        self._clock = Clock(self.clusters)
        self._signals = 0

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; a second one cuts the grace time short."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)
        # By this thread, which lives as long as the process: clusters end with their starter.
        for cluster in self.clusters:
            cluster.start()
        self._clock.start()
        while not self._signals:
            now = time.monotonic()
            for cluster in self.clusters:
                cluster.watch(now)
            time.sleep(ROUND_SECONDS)
        self._stop()

    def _note_loss(self, what: str, how: str, name: str) -> None:
        self._clock.lost(what, how, name)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._signals += 1

    def _stop(self) -> None:
        grace = {
            "quick": settings.PAVE_WEBHOOK_TIMEOUT + 10,
            "heuristic": settings.PAVE_HEURISTIC_TIMEOUT + 10,
        }
        logger.info("supervisor.stopping")
        begun = time.monotonic()
        asked = self._signals
        for cluster in self.clusters:
            cluster.ask_to_stop()
        while waiting := [cluster for cluster in self.clusters if not cluster.has_ended()]:
            spent = time.monotonic() - begun
            if self._signals > asked or all(spent > grace[cluster.queue] for cluster in waiting):
                break
            time.sleep(ROUND_SECONDS)
        for cluster in self.clusters:
            cluster.clear_away()
        self._clock.finish(SIGN_OFF_SECONDS)
        logger.info("supervisor.stopped seconds=%.1f", time.monotonic() - begun)
