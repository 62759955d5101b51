import os

from pave.operations.cluster.crash_recovery import requeue
from pave.operations.cluster.worker_names import cluster_name, worker_name


def test_a_workers_name_is_the_beginning_of_no_others():
    assert not worker_name(345, cluster=12).startswith(worker_name(34, cluster=12))
    assert worker_name(345, cluster=12).startswith(cluster_name(12))
    assert not worker_name(5, cluster=123).startswith(cluster_name(12))


def test_a_worker_names_itself_as_its_cluster_does():
    assert worker_name() == worker_name(os.getpid(), cluster=os.getppid())


def test_what_one_app_cannot_give_back_does_not_hinder_the_others(settings):
    settings.PAVE_CRASH_RECOVERIES = [f"{__name__}.fails", f"{__name__}.works"]
    given_back.clear()
    assert requeue("host/1/2/") is False
    assert given_back == ["host/1/2/"]
    settings.PAVE_CRASH_RECOVERIES = [f"{__name__}.works"]
    assert requeue("host/1/2/") is True


given_back = []


def fails(worker):
    raise OSError("away")


def works(worker):
    given_back.append(worker)
