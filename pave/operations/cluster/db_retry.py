"""Retrying while the database or the broker is unavailable."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django import db

from pave.operations.cluster.django_q2 import Broker

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

DATABASE_ERRORS = (db.OperationalError, db.InterfaceError)
# PostgreSQL's classes of errors that psycopg2 takes for ours, and that are the session's: its
# transaction is in a wrong state (25: 25006 is a write where a primary is one no more), or the
# server is (XX).
_OF_THE_SESSION = ("25", "XX")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
# django-q2's pusher sleeps for ten seconds after an error, and then ends.
_BROKER_PAUSE = 1.0


def retry_while_unavailable(work: Callable[[], Result], *, seconds: float) -> Result:
    """Return what ``work`` returns, doing it again while the database is unavailable.

    For results that would be lost otherwise, such as that of a run of half a minute. ``work`` must
    be a transaction of its own that may be repeated. Not for use inside a transaction.

    Args:
        work: What is to be done.
        seconds: For how long to go on trying; then the last error is raised.
    """
    end = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            return work()
        except DATABASE_ERRORS as error:
            if time.monotonic() + pause > end or db.connection.in_atomic_block:
                raise
            logger.warning("database.unavailable", extra={"error": first_line(error)})
        db.connections.close_all()
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def classify_lost_connections(connection: Any, **kwargs: Any) -> None:
    """Have what makes ``connection`` useless be among ``DATABASE_ERRORS``.

    psycopg2 raises plain DatabaseError for one that ends without a word, as when its backend is
    killed, and InternalError for one that only reads since a fail-over, whose transaction was idle
    for too long, or whose server is in disorder. Receiver of Django's ``connection_created``.
    """
    if _as_operational_error not in connection.execute_wrappers:
        connection.execute_wrappers.append(_as_operational_error)


def _as_operational_error(execute: Callable[..., Any], *args: Any) -> Any:
    try:
        return execute(*args)
    except DATABASE_ERRORS:
        raise
    except db.DatabaseError as error:
        connection = args[-1]["connection"]
        lost = getattr(connection.connection, "closed", False)
        if (getattr(error.__cause__, "pgcode", None) or "").startswith(_OF_THE_SESSION):
            lost = True
            connection.close_at = 0  # by Django, after this request or task
        if lost or type(error) is db.DatabaseError:
            raise db.OperationalError(*error.args) from error
        raise


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, for the log; PostgreSQL's have several."""
    return str(error).strip().partition("\n")[0]


class ResilientBroker:
    """A wrapper of a django-q2 broker that raises nothing, and reports its polls.

    Args:
        broker: The wrapped broker.
        on_poll: Called after each poll for tasks, with or without success.
    """

    def __init__(self, broker: Broker, on_poll: Callable[[], None]) -> None:
        self._broker = broker
        self._on_poll = on_poll

    def dequeue(self) -> list[tuple[Any, str]] | None:
        """Return the next tasks, if there are any."""
        tasks = None
        try:
            tasks = self._broker.dequeue()
        except Exception as error:
            logger.warning("broker.unavailable", extra={"error": first_line(error)})
            db.connections.close_all()
            time.sleep(_BROKER_PAUSE)
        self._on_poll()
        return tasks

    def acknowledge(self, task_id: Any) -> None:
        """Take a task off the queue; one that stays there is a wake-up that comes twice."""
        self._suppress_errors(self._broker.acknowledge, task_id)

    def fail(self, task_id: Any) -> None:
        """Drop a task that cannot be read."""
        self._suppress_errors(self._broker.fail, task_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    def _suppress_errors(self, action: Callable[[Any], Any], task_id: Any) -> None:
        try:
            action(task_id)
        except Exception as error:
            logger.warning("broker.unavailable", extra={"error": first_line(error)})
            db.connections.close_all()
