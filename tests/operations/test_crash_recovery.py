import os

from django.apps import apps

from pave.operations.cluster.crash_recovery import requeue
from pave.operations.cluster.worker_names import cluster_name, worker_name


def test_a_workers_name_is_the_beginning_of_no_others():
    assert not worker_name(345, cluster=12).startswith(worker_name(34, cluster=12))
    assert worker_name(345, cluster=12).startswith(cluster_name(12))
    assert not worker_name(5, cluster=123).startswith(cluster_name(12))


def test_a_worker_names_itself_as_its_cluster_does():
    assert worker_name() == worker_name(os.getpid(), cluster=os.getppid())


def test_what_one_app_cannot_requeue_does_not_hinder_the_others(monkeypatch):
    webhooks, merchants = apps.get_app_config("webhooks"), apps.get_app_config("merchants")
    requeued = []
    monkeypatch.setattr(merchants, "requeue", requeued.append)
    monkeypatch.setattr(webhooks, "requeue", _fail)
    assert requeue("host/1/2/") is False
    monkeypatch.setattr(webhooks, "requeue", requeued.append)
    assert requeue("host/1/2/") is True
    assert requeued == ["host/1/2/"] * 3


def _fail(worker):
    raise OSError("away")
