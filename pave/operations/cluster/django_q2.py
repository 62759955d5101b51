"""All that Pave uses of django-q2, whose version is pinned exactly (requirements.in).

Tasks, signals, ``Broker`` and ``Task`` are documented. The others are internals, which any release
may change; ``tests/operations/test_django_q2.py`` has what Pave needs of each:

* ``Sentinel``: subclassed, since its own never detects that its cluster stands still. Overridden
  are ``spawn_process`` (names, niceness, death with the parent), ``guard``, ``reincarnate`` and
  ``stop``; its queues, processes and events are used as they are. Tasks put into its local queue
  (the canary) look as the pusher's do.
* ``worker``: recognised among the targets of ``spawn_process``; its third argument is its timer,
  which holds the seconds that its task has left, 0 after a time-out, -1 without a task, -2 when it
  is recycled.
* ``rss_check``: whether a process has had more memory than ``max_rss`` allows; between tasks
  ``worker`` asks it, too.
* ``get_mp_context``: processes are created as the original creates them.
* ``Conf``: its time-outs and pauses; ``MAX_RSS`` is set in each worker.
* ``ORM``: the broker in the database, subclassed to wait for notifications instead of polling, and
  to check its connection less often; ``OrmQ``: its rows.
* ``Sqs``: subclassed for its queue. It is imported in ``brokers.sqs``, since it needs boto3.
"""

from django_q.brokers import Broker, get_broker
from django_q.brokers.orm import ORM
from django_q.cluster import Sentinel, get_mp_context
from django_q.conf import Conf
from django_q.models import OrmQ, Task
from django_q.signals import post_execute, post_execute_in_worker, pre_execute
from django_q.tasks import async_task
from django_q.worker import rss_check, worker

__all__ = [
    "ORM",
    "Broker",
    "Conf",
    "OrmQ",
    "Sentinel",
    "Task",
    "async_task",
    "get_broker",
    "get_mp_context",
    "post_execute",
    "post_execute_in_worker",
    "pre_execute",
    "rss_check",
    "worker",
]
