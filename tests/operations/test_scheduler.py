"""What a supervisor does beside watching: giving back, counting, saying that it is there."""

import os

import pytest
from django.db import OperationalError
from django.utils import timezone

from pave.operations.cluster import scheduler as clocks
from pave.operations.cluster.scheduler import Clock
from pave.operations.models import ClusterBeat, Tally

pytestmark = pytest.mark.django_db


class Cluster:
    queue = "quick"
    pid = 4711
    restarts = 3
    started_at = timezone.now()


@pytest.fixture
def clock(monkeypatch):
    # The connection is the test's, in whose transaction it is.
    monkeypatch.setattr(clocks.db, "close_old_connections", lambda: None)
    monkeypatch.setattr(clocks.db.connections, "close_all", lambda: None)
    return Clock([Cluster()])


@pytest.fixture
def given_back(monkeypatch):
    names = []
    monkeypatch.setattr(clocks, "requeue", lambda name: names.append(name) or True)
    return names


def counted():
    return {(row.name, row.label): row.count for row in Tally.objects.all()}


def test_what_a_dead_worker_had_is_given_back_and_the_loss_is_counted(clock, given_back):
    clock.lost("worker", "died", "host/1/2/")
    clock.lost("cluster", "process_killed", "host/1/")
    clock._settle_losses()
    assert sorted(given_back) == ["host/1/", "host/1/2/"]
    assert counted() == {("workers_lost", "died"): 1, ("clusters_lost", "process_killed"): 1}


def test_a_cluster_that_was_stopped_is_no_loss(clock, given_back):
    clock.lost("cluster", "stopped", "host/1/")
    clock._settle_losses()
    assert given_back == ["host/1/"]
    assert counted() == {}


def test_what_could_not_be_given_back_is_tried_again(clock, monkeypatch):
    tries = []
    monkeypatch.setattr(clocks, "requeue", lambda name: tries.append(name) or len(tries) > 2)
    clock.lost("worker", "died", "host/1/2/")
    for _ in range(5):
        clock._settle_losses()
    assert tries == ["host/1/2/"] * 3
    assert counted() == {("workers_lost", "died"): 1}


def test_a_beat_says_that_a_cluster_is_at_work_and_goes_with_its_supervisor(clock):
    clock._beat()
    beat = ClusterBeat.objects.get()
    assert (beat.queue, beat.pid, beat.restarts) == ("quick", 4711, 3)
    assert beat.supervisor == os.getpid()
    clock._sign_off()
    assert not ClusterBeat.objects.exists()


def test_two_supervisors_of_a_host_have_a_beat_each(clock, monkeypatch):
    clock._beat()
    monkeypatch.setattr(clocks.os, "getpid", lambda: 99)
    clock._beat()
    assert ClusterBeat.objects.count() == 2


def test_a_supervisor_that_ended_without_a_word_is_forgotten_in_time(clock):
    long_ago = timezone.now() - 2 * clocks.FORGET_AFTER
    ClusterBeat.objects.create(
        host="gone", queue="quick", pid=1, started_at=long_ago, seen_at=long_ago
    )
    clock._beat()
    assert [beat.pid for beat in ClusterBeat.objects.all()] == [4711]


@pytest.mark.parametrize("error", [OperationalError("away"), ValueError("a bug")])
def test_no_error_ends_the_clock(clock, caplog, error):
    def fails():
        raise error

    clock._guarded(fails, "webhooks")
    assert "in=webhooks" in caplog.text
