"""django-q2's broker in the database (``PAVE_BROKER=orm``), notified of tasks instead of polling.

The original polls for tasks twenty times a second, which costs an idle cluster more CPU than all
else, and delays a task by half of the pause on average. On PostgreSQL this one waits for a
notification (``LISTEN``), and polls only twice a second, since notifications may be lost.

Where notifications do not arrive, as on SQLite or through a pooler with transaction pooling, it
polls as the original does. Whether they arrive is probed, not assumed; with such a pooler even the
probe should be off (PAVE_LISTEN), since its pooled connections would go on listening.
"""

import logging
import math
import select
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from pave.operations.cluster.django_q2 import ORM, Conf, OrmQ

logger = logging.getLogger(__name__)

# How often the rows are polled in spite of notifications, in seconds.
POLL_SECONDS = 0.5
# How long this process's own notification may take to arrive, in seconds.
PROBE_SECONDS = 1.0
# When there was no connection to listen on, it is tried again after this time, in seconds.
RETRY_SECONDS = 60.0


class NotificationListener:
    """Receives notifications on a channel of PostgreSQL's, on a connection of its own.

    Args:
        channel: Its name; letters, digits and underscores.
    """

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._connection: BaseDatabaseWrapper | None = None
        self._retry_at = 0.0 if settings.PAVE_LISTEN else math.inf

    def wait(self, seconds: float) -> None:
        """Return when a notification comes, or after ``seconds``.

        Where it cannot listen, it returns after django-q2's pause between polls (``poll``).
        """
        if self._connection is None and time.monotonic() >= self._retry_at:
            self._open()
        if self._connection is None:
            time.sleep(Conf.POLL)
            return
        try:
            self._receive(self._connection, seconds)
        except (Error, OSError):
            logger.warning("listening.lost", extra={"channel": self._channel}, exc_info=True)
            self.close()

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            with suppress(Error):
                self._connection.close()
        self._connection = None

    def _open(self) -> None:
        """Start listening, and probe whether notifications arrive."""
        self._retry_at = time.monotonic() + RETRY_SECONDS
        main = connections[DEFAULT_DB_ALIAS]
        if main.vendor != "postgresql":
            return
        listener = main.copy()
        try:
            with listener.cursor() as cursor:
                cursor.execute(f'LISTEN "{self._channel}"')
            # Sent by another connection: a pooler would deliver a connection's own in any case.
            probe = uuid4().hex
            notify(self._channel, probe)
            end = time.monotonic() + PROBE_SECONDS
            while (remaining := end - time.monotonic()) > 0:
                if probe in self._receive(listener, remaining):
                    self._connection = listener
                    self._retry_at = 0.0
                    return
            logger.warning("listening.deaf", extra={"channel": self._channel, "instead": "polling"})
            self._retry_at = math.inf
        except (Error, OSError):
            logger.warning("listening.failed", extra={"channel": self._channel}, exc_info=True)
        with suppress(Error):
            listener.close()

    def _receive(self, listener: BaseDatabaseWrapper, seconds: float) -> list[str]:
        """Wait for notifications; return their payloads."""
        raw = listener.connection
        poll = select.poll()
        poll.register(raw.fileno(), select.POLLIN)
        poll.poll(1000 * seconds)
        with listener.wrap_database_errors:
            raw.poll()
        payloads = [notice.payload for notice in raw.notifies]
        raw.notifies.clear()
        return payloads


def notify(channel: str, payload: str = "") -> None:
    """Send to a channel of PostgreSQL's, with the open transaction's commit."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])


class ListeningBroker(ORM):
    """The broker of one queue.

    Args:
        list_key: The name of the queue.
    """

    def __init__(self, list_key: str) -> None:
        super().__init__(list_key)
        self._channel = f"pave_{list_key}"
        self._listener = NotificationListener(self._channel)

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:
        """Return the tasks' rows. The original looks each time whether the connection lives.

        A sender has used it just now; others say ``close_old_connections``.
        """
        return OrmQ.objects.using(Conf.ORM)

    def enqueue(self, task: str) -> Any:
        """Write a task, and notify of it."""
        key = super().enqueue(task)
        if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
            notify(self._channel)
        return key

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """Return tasks for this cluster, or None after a while without any."""
        close_old_connections()
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
