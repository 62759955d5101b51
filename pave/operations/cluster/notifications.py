"""Notifications of PostgreSQL's (``LISTEN``), which end a wait before the next poll.

They may be lost, so that whoever waits for one polls as well. They do not arrive on SQLite, nor
through a pooler with transaction pooling. Whether they do is probed, not assumed; with such a
pooler even the probe should be off (PAVE_LISTEN), since its pooled connections would go on
listening.
"""

import logging
import math
import select
import time
from contextlib import suppress
from uuid import uuid4

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

# How long this process's own notification may take to arrive, in seconds.
PROBE_SECONDS = 1.0
# When there was no connection to listen on, it is tried again after this time, in seconds.
RETRY_SECONDS = 60.0


class NotificationListener:
    """Receives notifications on a channel of PostgreSQL's, on a connection of its own.

    Args:
        channel: Its name; letters, digits and underscores.
        poll_seconds: How long a wait lasts where it cannot listen, in seconds.
    """

    def __init__(self, channel: str, poll_seconds: float) -> None:
        self._channel = channel
        self._poll_seconds = poll_seconds
        self._connection: BaseDatabaseWrapper | None = None
        self._retry_at = 0.0 if settings.PAVE_LISTEN else math.inf

    def wait(self, seconds: float, *, payload: str | None = None) -> None:
        """Return when a notification comes, or after ``seconds``; see ``poll_seconds``.

        It also returns when it has connected, which it may have to: what was sent meanwhile is
        found by the next poll.

        Args:
            seconds: How long to wait for it.
            payload: The one to wait for; None: any.
        """
        if self._connection is None and time.monotonic() >= self._retry_at:
            self._open()
            if self._connection is not None:
                return
        if self._connection is None:
            time.sleep(self._poll_seconds)
            return
        end = time.monotonic() + seconds
        try:
            while (remaining := end - time.monotonic()) > 0:
                payloads = self._receive(self._connection, remaining)
                if payload in payloads or (payload is None and payloads):
                    return
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
        with listener.wrap_database_errors:
            poll.register(raw.fileno(), select.POLLIN)
            poll.poll(1000 * seconds)
            raw.poll()
        payloads = [notice.payload for notice in raw.notifies]
        raw.notifies.clear()
        return payloads


def notify(channel: str, payload: str = "") -> None:
    """Send to a channel of PostgreSQL's, with the open transaction's commit.

    Also from a process that does not listen itself (PAVE_LISTEN): others may.
    """
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        return
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
