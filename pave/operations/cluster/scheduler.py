"""A supervisor's periodic work: sweeps, heartbeats, and requeueing what dead workers had claimed.

It runs in a thread of its own. All of it uses the database, and a database that does not respond
must not keep the supervisor from watching its clusters.
"""

import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import psutil
from django import db
from django.utils import timezone

from pave.core import clock
from pave.core.app_config import pave_apps
from pave.core.database import lock_limit
from pave.operations.cluster.cluster_process import ClusterProcess
from pave.operations.cluster.crash_recovery import requeue
from pave.operations.cluster.db_retry import first_line
from pave.operations.cluster.process_control import session_of
from pave.operations.cluster.worker_names import old_cluster_name
from pave.operations.models import ClusterBeat
from pave.operations.monitoring.counters import Counter

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25
SWEEP_INTERVAL = 1.0
HEARTBEAT_INTERVAL = 5.0
# How long to wait for a row that somebody else has locked, in seconds.
LOCK_SECONDS = 2.0
# No process has a number as large as that (proc(5), pid_max).
_NO_PROCESS = 2**22
# Heartbeats of supervisors that died are removed after this time.
HEARTBEAT_RETENTION = timedelta(hours=1)


class Scheduler(threading.Thread):
    """Does the periodic work until it is stopped.

    Args:
        clusters: The supervisor's clusters; only read.
    """

    def __init__(self, clusters: Sequence[ClusterProcess]) -> None:
        super().__init__(name="scheduler", daemon=True)
        self._clusters = clusters
        self._stopping = threading.Event()
        self._losses: queue.SimpleQueue[tuple[str, str, str]] = queue.SimpleQueue()
        # Names of dead workers and clusters whose rows are not requeued yet.
        self._to_requeue: set[str] = set()
        self._uncounted: list[tuple[str, str]] = []
        self._swept_at = self._heartbeat_at = 0.0
        self._limited: object = None
        self._recovered = False

    def report_loss(self, what: str, how: str, name: str) -> None:
        """Have what ``name`` had claimed requeued, and the loss counted; never waits."""
        self._losses.put((what, how, name))

    def finish(self, seconds: float) -> None:
        """Requeue what is left, remove the heartbeats, and stop, within ``seconds``."""
        self._stopping.set()
        self.join(seconds)

    def run(self) -> None:
        """Run until stopped."""
        while not self._stopping.is_set():
            now = time.monotonic()
            self._guarded(clock.synchronize, "synchronize")
            self._guarded(self._handle_losses, "requeue")
            if now - self._swept_at >= SWEEP_INTERVAL:
                self._swept_at = now
                for app in pave_apps():
                    for sweep in app.sweeps():
                        self._guarded(sweep, sweep.__module__)
            if now - self._heartbeat_at >= HEARTBEAT_INTERVAL:
                self._heartbeat_at = now
                self._guarded(self._recover, "recover")
                if self._recovered:  # else it would overwrite what an earlier supervisor has left
                    self._guarded(self._heartbeat, "heartbeat")
            self._stopping.wait(TICK_SECONDS)
        self._guarded(self._handle_losses, "requeue")
        self._guarded(self._remove_heartbeats, "sign off")
        db.connections.close_all()

    def _handle_losses(self) -> None:
        while not self._losses.empty():
            what, how, name = self._losses.get()
            self._to_requeue.add(name)
            if how != "stopped":
                self._uncounted.append((f"{what}s_lost", how))
        self._to_requeue = {name for name in self._to_requeue if not requeue(name)}
        if self._uncounted:
            counter = Counter(timezone.now())
            for name, label in self._uncounted:
                counter.add(name, label)
            counter.write()
            self._uncounted.clear()

    def _recover(self) -> None:
        """Requeue what clusters of this host had that were killed with their supervisors.

        A restarted container has the same host name, and its processes may have the same numbers,
        this supervisor, too; but clusters never have the same name.
        """
        beats = ClusterBeat.objects.filter(host=socket.gethostname())
        if self._recovered:  # before, none is of this supervisor
            quiet_since = clock.leases_ended_by(2 * HEARTBEAT_INTERVAL) - timedelta(
                seconds=2 * HEARTBEAT_INTERVAL
            )
            beats = beats.exclude(supervisor=os.getpid()).filter(seen_at__lt=quiet_since)
        dead = [beat for beat in beats if not _is_running(beat)]
        names = {beat.pk: beat.name or old_cluster_name(beat.pid) for beat in dead}
        recovered = {pk for pk, name in names.items() if requeue(name)}
        self._to_requeue.update(names[pk] for pk in names.keys() - recovered)
        # Not before: if this process is killed, too, the next one finds them.
        with db.transaction.atomic():
            of_dead = ClusterBeat.objects.filter(pk__in=[beat.pk for beat in dead])
            for beat in of_dead.select_for_update(skip_locked=True):
                if beat.pk in recovered:
                    beat.delete()
                else:  # later; out of the way of this one's own heartbeats, as of any process's
                    beat.supervisor = _NO_PROCESS + beat.pk
                    beat.save(update_fields=["supervisor"])
        self._recovered = True

    def _heartbeat(self) -> None:
        now = timezone.now()
        for cluster in self._clusters:
            if pid := cluster.pid:
                ClusterBeat.objects.update_or_create(
                    host=socket.gethostname(),
                    supervisor=os.getpid(),
                    queue=cluster.queue,
                    defaults={
                        "pid": pid,
                        "name": cluster.name,
                        "started_at": cluster.started_at,
                        "seen_at": now,
                        "restarts": cluster.restarts,
                    },
                )
        ClusterBeat.objects.filter(seen_at__lt=now - HEARTBEAT_RETENTION).delete()

    def _remove_heartbeats(self) -> None:
        ClusterBeat.objects.filter(host=socket.gethostname(), supervisor=os.getpid()).delete()

    def _limit_locks(self) -> None:
        """Have no lock waited for longer than ``LOCK_SECONDS``: heartbeats would stop, too."""
        db.connection.ensure_connection()
        if db.connection.connection is not self._limited:
            lock_limit.limit_connection(LOCK_SECONDS)
            self._limited = db.connection.connection

    def _guarded(self, work: Callable[[], object], name: str) -> None:
        """Do ``work``; a database that is unavailable must not end the scheduler."""
        try:
            db.close_old_connections()
            self._limit_locks()
            work()
        except db.OperationalError as error:
            logger.warning(
                "scheduler.locked" if lock_limit.is_limit(error) else "database.unavailable",
                extra={"in": name, "error": first_line(error)},
            )
            db.connections.close_all()
        except Exception:
            logger.exception("scheduler.failed", extra={"in": name})
            db.connections.close_all()


def _is_running(beat: ClusterBeat) -> bool:
    """Return whether any process of a cluster is left; later ones may have its number."""
    ahead = time.time() - clock.timestamp()  # noqa: TID251 - processes are created by this one
    in_doubt = clock.seconds_in_doubt(HEARTBEAT_INTERVAL)
    for process in session_of(beat.pid):
        with suppress(psutil.Error):
            if process.create_time() - ahead <= beat.seen_at.timestamp() + in_doubt:
                return True
    return False
