"""django-q2 has the internals that Pave needs; ``pave.operations.cluster.django_q2`` says for what.

Before it is updated, all of these must pass with the new version, and the system tests.
"""

import inspect
import pydoc

import pytest

PARAMETERS = {
    "cluster.get_mp_context": "",
    "cluster.Sentinel": "stop_event start_event cluster_id broker timeout start",
    "cluster.Sentinel.start": "self",
    "cluster.Sentinel.guard": "self",
    "cluster.Sentinel.stop": "self",
    "cluster.Sentinel.spawn_process": "self target args",
    "cluster.Sentinel.reincarnate": "self process",
    "worker.worker": "task_queue result_queue timer timeout",
    "brokers.orm.ORM": "list_key",
    "brokers.orm.ORM.get_connection": "list_key",
    "brokers.orm.ORM.enqueue": "self task",
    "brokers.orm.ORM.dequeue": "self",
    "brokers.aws_sqs.Sqs": "list_key",
    "brokers.aws_sqs.Sqs.queue_size": "self",
    "brokers.aws_sqs.Sqs.get_queue": "self",
}
# Names that stand in the code of a function: attributes that it sets, methods that it calls.
USES = {
    "cluster.Sentinel.__init__": "broker stop_event pool task_queue result_queue event_out",
    "cluster.Sentinel.start": "spawn_cluster guard",
    "cluster.Sentinel.spawn_cluster": "spawn_worker spawn_monitor monitor spawn_pusher pusher",
    "cluster.Sentinel.spawn_worker": "spawn_process worker task_queue result_queue Value",
    "cluster.Sentinel.spawn_monitor": "spawn_process monitor result_queue broker",
    "cluster.Sentinel.spawn_pusher": "spawn_process pusher task_queue event_out broker",
    "cluster.Sentinel.reincarnate": "pool remove spawn_worker timer terminate",
    "pusher.pusher": "dequeue fail put is_set",
    "monitor.monitor": "acknowledge post_execute",
    "worker.worker": "timer pre_execute post_execute_in_worker",
    "brokers.aws_sqs.Sqs.queue_size": "queue attributes",
    "brokers.aws_sqs.Sqs.delete": "sqs queue",
}
VALUES = ["conf.Conf.GUARD_CYCLE", "conf.Conf.POLL", "conf.Conf.TIMEOUT"]


@pytest.mark.parametrize("name", dict.fromkeys([*PARAMETERS, *USES, *VALUES]))
def test_django_q2_has_the_internal(name):
    internal = pydoc.locate(f"django_q.{name}")
    assert internal is not None, f"django-q2 has no {name} any more"
    if name in PARAMETERS:
        assert list(inspect.signature(internal).parameters) == PARAMETERS[name].split()
    if name in USES:
        code = internal.__code__
        assert set(USES[name].split()) <= {*code.co_names, *code.co_varnames}
