import os

from django.apps import apps

from pave.operations.cluster.crash_recovery import requeue
from pave.operations.cluster.worker_names import (
    CLUSTER_NAME,
    new_cluster_name,
    old_cluster_name,
    worker_name,
    worker_of,
)


def test_a_workers_name_is_the_beginning_of_no_others():
    cluster, other = new_cluster_name(), new_cluster_name()
    assert worker_of(cluster, 345).startswith(cluster)
    assert not worker_of(cluster, 345).startswith(worker_of(cluster, 34))
    assert not worker_of(cluster, 345).startswith(other)


def test_a_worker_names_itself_as_its_cluster_does(monkeypatch):
    assert worker_name() == worker_of(old_cluster_name(os.getppid()), os.getpid())
    monkeypatch.setenv(CLUSTER_NAME, "host/1a2b/")
    assert worker_name() == f"host/1a2b/{os.getpid()}/"


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
