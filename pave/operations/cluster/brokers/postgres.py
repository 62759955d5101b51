"""django-q2's broker in the database (``PAVE_BROKER=orm``), notified of tasks instead of polling.

The original polls for tasks twenty times a second, which costs an idle cluster more CPU than all
else, and delays a task by half of the pause on average. On PostgreSQL this one waits for a
notification, and polls only twice a second, since notifications may be lost. Where they do not
arrive (see ``notifications``), it polls as the original does.
"""

from typing import Any

from django.db import close_old_connections
from django.utils import timezone

from pave.core import clock
from pave.operations.cluster.django_q2 import ORM, Conf, OrmQ
from pave.operations.cluster.notifications import NotificationListener, notify

# How often the rows are polled in spite of notifications, in seconds.
POLL_SECONDS = 0.5


class ListeningBroker(ORM):
    """The broker of one queue.

    Args:
        list_key: The name of the queue.
    """

    def __init__(self, list_key: str) -> None:
        super().__init__(list_key)
        self._channel = f"pave_{list_key}"
        self._listener = NotificationListener(self._channel, Conf.POLL)

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:
        """Return the tasks' rows. The original looks each time whether the connection lives.

        A sender has used it just now; others say ``close_old_connections``.
        """
        return OrmQ.objects.using(Conf.ORM)

    def enqueue(self, task: str) -> Any:
        """Write a task, and notify of it."""
        key = super().enqueue(task)
        notify(self._channel)
        return key

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """Return tasks for this cluster, or None after a while without any."""
        close_old_connections()
        clock.synchronize()
        waiting = self.get_connection().filter(key=self.list_key, lock__lt=timezone.now())
        if not waiting.exists():
            self._listener.wait(POLL_SECONDS)
            return None
        return super().dequeue()

    def delete(self, task_id: Any) -> None:
        """Delete a task."""
        close_old_connections()
        super().delete(task_id)


def broker(list_key: str) -> ListeningBroker:
    """Return the broker of a queue, for ``Q_CLUSTER["broker_class"]``."""
    return ListeningBroker(list_key)
