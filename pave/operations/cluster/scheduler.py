"""What a supervisor does by the clock: sweeps, beats, and giving back what the dead had claimed.

It runs in a thread of its own. All of it asks the database, and a database that does not answer
must not keep the supervisor from watching its clusters.
"""

import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django import db
from django.utils import timezone

from pave.core.app_config import pave_apps
from pave.operations.cluster.cluster_process import ClusterProcess
from pave.operations.cluster.crash_recovery import requeue
from pave.operations.models import ClusterBeat
from pave.operations.monitoring.counters import Counter

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.25
SWEEP_EVERY = 1.0
BEAT_EVERY = 5.0
# Beats of supervisors that ended without a word are removed after this time.
FORGET_AFTER = timedelta(hours=1)


class Clock(threading.Thread):
    """Works by the clock until it is told to stop.

    Args:
        clusters: The supervisor's; read, never changed.
    """

    def __init__(self, clusters: Sequence[ClusterProcess]) -> None:
        super().__init__(name="clock", daemon=True)
        self._clusters = clusters
        self._stopping = threading.Event()
        self._losses: queue.SimpleQueue[tuple[str, str, str]] = queue.SimpleQueue()
        # Names of dead workers and clusters whose rows are not given back yet.
        self._owed: set[str] = set()
        self._uncounted: list[tuple[str, str]] = []
        self._swept = self._beaten = 0.0

    def lost(self, what: str, how: str, name: str) -> None:
        """Have what ``name`` had claimed given back, and the loss counted; never waits."""
        self._losses.put((what, how, name))

    def finish(self, seconds: float) -> None:
        """Give back what is owed, sign off, and stop; wait no longer than ``seconds`` for it."""
        self._stopping.set()
        self.join(seconds)

    def run(self) -> None:
        """Go round."""
        while not self._stopping.is_set():
            now = time.monotonic()
            self._guarded(self._settle_losses, "requeue")
            if now - self._swept >= SWEEP_EVERY:
                self._swept = now
                for app in pave_apps():
                    self._guarded(app.sweep, app.label)
            if now - self._beaten >= BEAT_EVERY:
                self._beaten = now
                self._guarded(self._beat, "heartbeat")
            self._stopping.wait(ROUND_SECONDS)
        self._guarded(self._settle_losses, "requeue")
        self._guarded(self._sign_off, "sign off")
        db.connections.close_all()

    def _settle_losses(self) -> None:
        while not self._losses.empty():
            what, how, name = self._losses.get()
            self._owed.add(name)
            if how != "stopped":
                self._uncounted.append((f"{what}s_lost", how))
        self._owed = {name for name in self._owed if not requeue(name)}
        if self._uncounted:
            counter = Counter(timezone.now())
            for name, label in self._uncounted:
                counter.add(name, label)
            counter.write()
            self._uncounted.clear()

    def _beat(self) -> None:
        now = timezone.now()
        for cluster in self._clusters:
            if pid := cluster.pid:
                ClusterBeat.objects.update_or_create(
                    host=socket.gethostname(),
                    supervisor=os.getpid(),
                    queue=cluster.queue,
                    defaults={
                        "pid": pid,
                        "started_at": cluster.started_at,
                        "seen_at": now,
                        "restarts": cluster.restarts,
                    },
                )
        ClusterBeat.objects.filter(seen_at__lt=now - FORGET_AFTER).delete()

    def _sign_off(self) -> None:
        ClusterBeat.objects.filter(host=socket.gethostname(), supervisor=os.getpid()).delete()

    def _guarded(self, work: Callable[[], object], name: str) -> None:
        """Do ``work``; a database that is unavailable must not end the scheduler."""
        try:
            db.close_old_connections()
            work()
        except db.OperationalError as error:
            logger.warning(
                "database.unavailable in=%s error=%s",
                name,
                str(error).strip().partition("\n")[0],
            )
            db.connections.close_all()
        except Exception:
            logger.exception("scheduler.failed in=%s", name)
            db.connections.close_all()
