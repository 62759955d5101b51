"""The supervisor's scheduler: requeueing, counting losses, heartbeats."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from pave.operations.cluster import scheduler as scheduler_module
from pave.operations.cluster.scheduler import Scheduler
from pave.operations.cluster.worker_names import old_cluster_name
from pave.operations.models import ClusterBeat, Tally
from tests.servers import ON_SQLITE

pytestmark = pytest.mark.django_db


class Cluster:
    queue = "quick"
    pid = 2**22 + 4711  # no process has such a number
    name = "host/live/"
    restarts = 3
    started_at = timezone.now()


@pytest.fixture
def scheduler(monkeypatch):
    # The connection is the test's, in whose transaction it is.
    monkeypatch.setattr(scheduler_module.db, "close_old_connections", lambda: None)
    monkeypatch.setattr(scheduler_module.db.connections, "close_all", lambda: None)
    return Scheduler([Cluster()])


@pytest.fixture
def requeued(monkeypatch):
    names = []
    monkeypatch.setattr(scheduler_module, "requeue", lambda name: names.append(name) or True)
    return names


def counted():
    return {(row.name, row.label): row.count for row in Tally.objects.all()}


def test_what_a_dead_worker_had_is_requeued_and_the_loss_is_counted(scheduler, requeued):
    scheduler.report_loss("worker", "died", "host/1/2/")
    scheduler.report_loss("cluster", "process_killed", "host/1/")
    scheduler._handle_losses()
    assert sorted(requeued) == ["host/1/", "host/1/2/"]
    assert counted() == {("workers_lost", "died"): 1, ("clusters_lost", "process_killed"): 1}


def test_a_cluster_that_was_stopped_is_no_loss(scheduler, requeued):
    scheduler.report_loss("cluster", "stopped", "host/1/")
    scheduler._handle_losses()
    assert requeued == ["host/1/"]
    assert counted() == {}


def test_what_could_not_be_requeued_is_tried_again(scheduler, monkeypatch):
    tries = []
    monkeypatch.setattr(
        scheduler_module, "requeue", lambda name: tries.append(name) or len(tries) > 2
    )
    scheduler.report_loss("worker", "died", "host/1/2/")
    for _ in range(5):
        scheduler._handle_losses()
    assert tries == ["host/1/2/"] * 3
    assert counted() == {("workers_lost", "died"): 1}


def test_a_heartbeat_shows_a_running_cluster_and_is_removed_with_its_supervisor(scheduler):
    scheduler._heartbeat()
    beat = ClusterBeat.objects.get()
    assert (beat.queue, beat.pid, beat.restarts) == ("quick", Cluster.pid, 3)
    assert beat.supervisor == os.getpid()
    scheduler._remove_heartbeats()
    assert not ClusterBeat.objects.exists()


def test_two_supervisors_of_a_host_have_a_heartbeat_each(scheduler, monkeypatch):
    scheduler._heartbeat()
    monkeypatch.setattr(scheduler_module.os, "getpid", lambda: 99)
    scheduler._heartbeat()
    assert ClusterBeat.objects.count() == 2


def test_heartbeats_of_a_dead_supervisor_are_removed_in_time(scheduler):
    long_ago = timezone.now() - 2 * scheduler_module.HEARTBEAT_RETENTION
    ClusterBeat.objects.create(
        host="gone", queue="quick", pid=1, started_at=long_ago, seen_at=long_ago
    )
    scheduler._heartbeat()
    assert [beat.pid for beat in ClusterBeat.objects.all()] == [Cluster.pid]


@pytest.mark.parametrize("error", [OperationalError("away"), ValueError("a bug")])
def test_no_error_ends_the_scheduler(scheduler, caplog, error):
    def fails():
        raise error

    scheduler._guarded(fails, "webhooks")
    (line,) = caplog.records
    assert vars(line)["in"] == "webhooks"


@pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself.")
@pytest.mark.django_db(transaction=True)
def test_a_locked_row_stops_neither_other_sweeps_nor_heartbeats(monkeypatch):
    row = Tally.objects.create(at=timezone.now(), name="requests", label="queued", count=1)
    swept = threading.Semaphore(0)

    class App:
        def sweeps(self):
            return [lambda: Tally.objects.update(count=2), swept.release]

    monkeypatch.setattr(scheduler_module, "pave_apps", lambda: [App()])
    monkeypatch.setattr(scheduler_module, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(scheduler_module, "SWEEP_INTERVAL", 0)
    scheduler = Scheduler([Cluster()])
    other = connection.copy()
    with contextlib.closing(other), other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE operations_tally SET count = 3 WHERE id = %s", [row.pk])
        scheduler.start()
        assert swept.acquire(timeout=30)
        assert swept.acquire(timeout=30)
        assert ClusterBeat.objects.exists()
        scheduler.finish(30)
    assert not scheduler.is_alive()


def recover(scheduler):
    scheduler._recover()
    scheduler._handle_losses()


def beat_of(pid, *, supervisor=1, seconds_ago=0):
    now = timezone.now()
    return ClusterBeat.objects.create(
        host=socket.gethostname(),
        supervisor=supervisor,
        queue="quick",
        pid=pid,
        name="host/dead/",
        started_at=now,
        seen_at=now - timedelta(seconds=seconds_ago),
    )


@pytest.fixture
def session():
    """Return the number of a process that leads a session, as a cluster does."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    yield process.pid
    process.kill()
    process.wait()


def test_what_a_killed_supervisors_cluster_had_is_requeued_at_the_next_start(scheduler, requeued):
    beat_of(2**22 + 1, supervisor=os.getpid())
    elsewhere = beat_of(2**22 + 1)
    ClusterBeat.objects.filter(pk=elsewhere.pk).update(host="elsewhere")
    recover(scheduler)
    assert requeued == ["host/dead/"]
    assert ClusterBeat.objects.get() == elsewhere


def test_what_runs_is_not_requeued_and_what_only_has_its_number_is(scheduler, requeued, session):
    beat_of(session)
    recover(scheduler)
    assert requeued == []
    ClusterBeat.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    recover(scheduler)
    assert requeued == ["host/dead/"]


def test_another_supervisor_of_the_host_recovers_it_too(scheduler, requeued):
    scheduler._recovered = True
    beat_of(2**22 + 1)
    beat_of(2**22 + 2, supervisor=os.getpid(), seconds_ago=60)
    recover(scheduler)
    assert requeued == []
    ClusterBeat.objects.update(seen_at=timezone.now() - timedelta(seconds=60))
    recover(scheduler)
    assert requeued == ["host/dead/"]


def test_a_cluster_with_the_number_of_a_dead_one_keeps_what_it_has(scheduler, requeued):
    beat_of(Cluster.pid, supervisor=os.getpid(), seconds_ago=60)
    recover(scheduler)
    assert requeued == ["host/dead/"]
    scheduler._heartbeat()
    scheduler._recover()
    assert ClusterBeat.objects.get().name == Cluster.name
    assert requeued == ["host/dead/"]


def test_a_cluster_of_an_earlier_release_is_recovered_by_its_number(scheduler, requeued):
    beat_of(2**22 + 1)
    ClusterBeat.objects.update(name="")
    recover(scheduler)
    assert requeued == [old_cluster_name(2**22 + 1)]


def test_who_dies_while_recovering_leaves_it_to_the_next(scheduler, requeued, monkeypatch):
    beat_of(2**22 + 1)

    def dies(name):
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(scheduler_module, "requeue", dies)
        with pytest.raises(SystemExit):
            scheduler._recover()
    recover(Scheduler([Cluster()]))
    assert requeued == ["host/dead/"]


def test_what_could_not_be_requeued_is_left_to_the_next_whatever_its_process_number(
    scheduler, requeued, monkeypatch
):
    beat_of(2**22 + 1, supervisor=os.getpid(), seconds_ago=60)
    with monkeypatch.context() as locked:
        locked.setattr(scheduler_module, "requeue", lambda name: False)
        scheduler._recover()
    scheduler._heartbeat()
    assert ClusterBeat.objects.count() == 2
    Scheduler([Cluster()])._recover()  # this one was killed as well
    assert "host/dead/" in requeued


@pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself.")
@pytest.mark.django_db(transaction=True)
def test_a_locked_heartbeat_of_a_dead_cluster_keeps_no_other_back(monkeypatch):
    monkeypatch.setattr(scheduler_module, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(scheduler_module, "requeue", lambda name: False)
    beat = beat_of(2**22 + 1)
    scheduler = Scheduler([Cluster()])
    other = connection.copy()
    with contextlib.closing(other), other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE operations_clusterbeat SET pid = 1 WHERE id = %s", [beat.pk])
        scheduler._guarded(scheduler._recover, "recover")
    assert scheduler._recovered


@pytest.mark.skipif(ON_SQLITE, reason="There a row is not locked by itself.")
@pytest.mark.django_db(transaction=True)
def test_what_a_locked_heartbeats_cluster_had_is_requeued_later(monkeypatch, requeued):
    """Though a supervisor with the same process number overwrites the heartbeat."""
    beat = beat_of(2**22 + 1, supervisor=os.getpid())
    scheduler = Scheduler([Cluster()])
    other = connection.copy()
    with contextlib.closing(other), other.cursor() as cursor, monkeypatch.context() as away:
        away.setattr(scheduler_module, "requeue", lambda name: False)
        cursor.execute("BEGIN")
        cursor.execute("UPDATE operations_clusterbeat SET pid = 1 WHERE id = %s", [beat.pk])
        scheduler._recover()
    scheduler._heartbeat()
    scheduler._handle_losses()
    assert requeued == ["host/dead/"]
