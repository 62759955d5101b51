"""What ``manage.py qcluster`` runs: a cluster for each queue, watched, and the sweep's clock."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

import psutil
from django import db
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from pave.operations.cluster import STALLED
from pave.operations.handing_back import hand_back
from pave.operations.identity import cluster_name
from pave.operations.models import ClusterBeat

logger = logging.getLogger(__name__)

QUEUES = ("quick", "heuristic")
ROUND_SECONDS = 0.25
SWEEP_EVERY = 1.0
BEAT_EVERY = 5.0
# A sentinel reports twice a second. Silence for this long means that it hangs.
SILENCE_SECONDS = 20.0
# Pauses before a cluster that keeps ending is started anew, in seconds.
BACK_OFF = (0.0, 1.0, 2.0, 5.0, 10.0)
# A cluster that lived this long is not one that keeps ending.
SETTLED_SECONDS = 60.0


class ClusterProcess:
    """The process of one queue's cluster."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.restarts = 0
        self._failures = 0
        self._start_at = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The cluster's process id, or 0 while there is none."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether there is a process; it may be on its way out."""
        return self._process is not None

    def start(self) -> None:
        """Start the cluster, in a session of its own, which Ctrl-C does not reach."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        self._report = read_end
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pave.operations.cluster", self.queue, str(write_end)],
            cwd=settings.BASE_DIR,
            pass_fds=[write_end],
            start_new_session=True,
        )
        os.close(write_end)
        self.started_at = timezone.now()
        self._begun = self._reported = time.monotonic()

    def watch(self, now: float) -> None:
        """Start the cluster anew if it has ended or hangs.

        Args:
            now: Seconds of the monotonic clock.
        """
        if self._process is None:
            if now >= self._start_at:
                self.restarts += 1
                self.start()
            return
        if self._read_report():
            self._reported = now
        status = self._process.poll()
        if status is None and now - self._reported <= SILENCE_SECONDS:
            return
        logger.error("cluster.lost queue=%s pid=%s status=%s", self.queue, self.pid, status)
        settled = now - self._begun > SETTLED_SECONDS or status == STALLED
        self._failures = 0 if settled else self._failures + 1
        self._start_at = now + BACK_OFF[min(self._failures, len(BACK_OFF) - 1)]
        self.clear_away()

    def ask_to_stop(self) -> None:
        """Let the cluster finish what is running, and end."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def has_ended(self) -> bool:
        """Return whether the process is gone."""
        return self._process is None or self._process.poll() is not None

    def clear_away(self) -> None:
        """Kill what is left of the cluster and give back what it had claimed."""
        if self._process is None:
            return
        pid = self._process.pid
        # The cluster leads a session; its workers, even orphans, are those in it.
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == pid:
                    process.kill()
            except (psutil.Error, OSError):
                continue  # it has just ended
        self._process.wait()
        os.close(self._report)
        self._process = None
        hand_back(cluster_name(pid))

    def _read_report(self) -> bytes:
        try:
            return os.read(self._report, 4096)
        except BlockingIOError:
            return b""


class Supervisor:
    """Keeps one cluster for each queue at work until it is told to stop.

    Args:
        queues: Names of queues.
    """

    def __init__(self, queues: tuple[str, ...]) -> None:
        self.clusters = [ClusterProcess(queue) for queue in queues]
        self._signals = 0
        self._swept = self._beaten = 0.0

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; a second one cuts the grace time short."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)
        for cluster in self.clusters:
            cluster.start()
        while not self._signals:
            now = time.monotonic()
            for cluster in self.clusters:
                cluster.watch(now)
            if now - self._swept >= SWEEP_EVERY:
                self._swept = now
                self._guarded(self._sweep)
            if now - self._beaten >= BEAT_EVERY:
                self._beaten = now
                self._guarded(self._beat)
            time.sleep(ROUND_SECONDS)
        self._stop()

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
        self._guarded(self._sign_off)
        logger.info("supervisor.stopped seconds=%.1f", time.monotonic() - begun)

    def _sweep(self) -> None:
        for path in settings.PAVE_SWEEPS:
            import_string(path)()

    def _beat(self) -> None:
        for cluster in self.clusters:
            if cluster.running:
                ClusterBeat.objects.update_or_create(
                    host=socket.gethostname(),
                    queue=cluster.queue,
                    defaults={
                        "pid": cluster.pid,
                        "started_at": cluster.started_at,
                        "seen_at": timezone.now(),
                        "restarts": cluster.restarts,
                    },
                )

    def _sign_off(self) -> None:
        ClusterBeat.objects.filter(
            host=socket.gethostname(), queue__in=[cluster.queue for cluster in self.clusters]
        ).delete()

    def _guarded(self, work: object) -> None:
        """Do ``work``; a database that is away must not end the supervisor."""
        try:
            work()  # type: ignore[operator]
        except Exception:
            logger.exception("supervisor.failed in=%s", getattr(work, "__name__", work))
            db.connections.close_all()
