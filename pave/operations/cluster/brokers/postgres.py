"""django-q2's broker in the database (``PAVE_BROKER=orm``), told of tasks instead of asking.

The original asks for tasks twenty times a second, which costs an idle cluster more CPU than all
else, and a task on average half of the pause. On PostgreSQL this one waits for a notification
(``LISTEN``), and looks at the rows twice a second all the same: a notification is a hint, and rows
are the truth.

Where notifications do not arrive, as on SQLite or through a pooler that hands out connections by
the transaction, it asks as the original does. Whether they arrive is tried out, not assumed; with
such a pooler it should not even be tried (PAVE_LISTEN), since its connections would go on
listening for nobody.
"""

import logging
import math
import select
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django_q.brokers import orm
from django_q.conf import Conf

logger = logging.getLogger(__name__)

# How often the rows are looked at beside what is heard, in seconds.
LOOK_EVERY = 0.5
# How long a notification of one's own may take to arrive, in seconds.
TRIAL_SECONDS = 1.0
# When there was no connection to listen on, it is tried again after so long, in seconds.
AGAIN_SECONDS = 60.0


class NotificationListener:
    """Hears what is sent to a channel of PostgreSQL's, on a connection of its own.

    Args:
        channel: Its name; letters, digits and underscores.
    """

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._connection: BaseDatabaseWrapper | None = None
        self._try_at = 0.0 if settings.PAVE_LISTEN else math.inf

    def wait(self, seconds: float) -> None:
        """Return when something is heard, or after ``seconds``.

        Where it cannot hear, it returns after the pause in which django-q2 asks (``poll``).
        """
        if self._connection is None and time.monotonic() >= self._try_at:
            self._open()
        if self._connection is None:
            time.sleep(Conf.POLL)
            return
        try:
            self._hear(self._connection, seconds)
        except (Error, OSError):
            logger.warning("listening.lost channel=%s", self._channel, exc_info=True)
            self.close()

    def close(self) -> None:
        """Listen no more."""
        if self._connection is not None:
            with suppress(Error):
                self._connection.close()
        self._connection = None

    def _open(self) -> None:
        """Begin to listen, and see whether what is sent arrives."""
        self._try_at = time.monotonic() + AGAIN_SECONDS
        ours = connections[DEFAULT_DB_ALIAS]
        if ours.vendor != "postgresql":
            return
        listener = ours.copy()
        try:
            with listener.cursor() as cursor:
                cursor.execute(f'LISTEN "{self._channel}"')
            # Sent by another connection: a pooler would give back one's own in any case.
            trial = uuid4().hex
            notify(self._channel, trial)
            end = time.monotonic() + TRIAL_SECONDS
            while (left := end - time.monotonic()) > 0:
                if trial in self._hear(listener, left):
                    self._connection = listener
                    self._try_at = 0.0
                    return
            logger.warning("listening.deaf channel=%s: asking instead", self._channel)
            self._try_at = math.inf
        except (Error, OSError):
            logger.warning("listening.failed channel=%s", self._channel, exc_info=True)
        with suppress(Error):
            listener.close()

    def _hear(self, listener: BaseDatabaseWrapper, seconds: float) -> list[str]:
        """Wait for notifications; return what was said in them."""
        raw = listener.connection
        poll = select.poll()
        poll.register(raw.fileno(), select.POLLIN)
        poll.poll(1000 * seconds)
        with listener.wrap_database_errors:
            raw.poll()
        heard = [notice.payload for notice in raw.notifies]
        raw.notifies.clear()
        return heard


def notify(channel: str, payload: str = "") -> None:
    """Send to a channel of PostgreSQL's, with the open transaction's commit."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])


class ListeningBroker(orm.ORM):
    """The broker of one queue.

    Args:
        list_key: The name of the queue.
    """

    def __init__(self, list_key: str) -> None:
        super().__init__(list_key)
        self._channel = f"pave_{list_key}"
        self._ear = NotificationListener(self._channel)

    def enqueue(self, task: str) -> Any:
        """Write a task, and tell of it."""
        key = super().enqueue(task)
        if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
            notify(self._channel)
        return key

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """Return tasks for this cluster, or None after a while without any."""
        waiting = self.get_connection().filter(key=self.list_key, lock__lt=timezone.now())
        if not waiting.exists():
            self._ear.wait(LOOK_EVERY)
            return None
        return super().dequeue()


def broker(list_key: str) -> ListeningBroker:
    """Return the broker of a queue, for ``Q_CLUSTER["broker_class"]``."""
    return ListeningBroker(list_key)
