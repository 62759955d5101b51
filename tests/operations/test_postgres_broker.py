"""The broker in the database, which is told of tasks; on PostgreSQL and on SQLite."""

import threading

import pytest
from django.db import OperationalError, connection, connections
from django_q.models import OrmQ

from pave.operations.cluster import notifications
from pave.operations.cluster.brokers import postgres
from pave.operations.cluster.brokers.postgres import ListeningBroker
from pave.operations.cluster.notifications import NotificationListener, notify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]
on_postgresql = pytest.mark.skipif(
    "connection.vendor == 'sqlite'", reason="SQLite has no notifications"
)
LONG = 30.0


@pytest.fixture
def listener():
    listener = NotificationListener("pave_test", 0.05)
    yield listener
    listener.close()


def waiting(listener, seconds=LONG):
    """Wait in another thread, as a cluster's pusher does in another process."""

    def wait():
        listener.wait(seconds)
        connection.close()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def hears(listener):
    """Whether what is sent ends a wait that would be longer."""
    if listener._connection is None:
        listener.wait(LONG)  # until it has connected
    thread = waiting(listener)
    thread.join(0.2)
    notify("pave_test")
    thread.join(LONG / 3)
    heard = not thread.is_alive()
    thread.join()
    return heard and listener._connection is not None


def backends():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'")
        return [pid for (pid,) in cursor.fetchall()]


@on_postgresql
def test_what_is_sent_ends_the_wait(listener):
    assert hears(listener)
    assert hears(listener)


@on_postgresql
def test_a_lost_connection_is_opened_again(listener):
    listener.wait(0)
    with connection.cursor() as cursor:
        for pid in backends():
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    while listener._connection is not None:
        listener.wait(LONG)  # does not last
    assert hears(listener)


@on_postgresql
def test_where_nothing_arrives_it_polls_as_django_q_does(listener, monkeypatch, caplog):
    monkeypatch.setattr(notifications, "notify", lambda channel, payload="": None)
    monkeypatch.setattr(notifications, "PROBE_SECONDS", 0.05)
    listener.wait(LONG)  # does not last
    assert listener._connection is None
    assert "listening.deaf" in caplog.text
    assert backends() == []


@on_postgresql
def test_it_does_not_listen_where_the_setting_forbids_it(settings):
    settings.PAVE_LISTEN = False
    listener = NotificationListener("pave_test", 0.05)
    listener.wait(LONG)  # does not last
    assert listener._connection is None
    assert backends() == []


@on_postgresql
def test_a_server_that_takes_no_more_connections_leaves_it_polling(listener, monkeypatch, caplog):
    def refuse(self, parameters):
        raise OperationalError("too many clients")

    monkeypatch.setattr(type(connections["default"]), "get_new_connection", refuse)
    listener.wait(LONG)  # does not last
    assert "listening.failed" in caplog.text


def test_tasks_go_through_in_turn():
    broker = ListeningBroker("quick")
    for task in ("first", "second"):
        broker.enqueue(task)
    found = {}
    while len(found) < 2:
        found |= dict(broker.dequeue() or [])
    assert list(found.values()) == ["first", "second"]
    assert broker.dequeue() is None
    for key in found:
        broker.acknowledge(key)
    assert OrmQ.objects.count() == 0
    broker._listener.close()


@on_postgresql
def test_a_task_that_is_written_ends_the_wait_for_it(monkeypatch, settings):
    """Also one that is written by a process that does not listen."""
    monkeypatch.setattr(postgres, "POLL_SECONDS", LONG)
    hearer = ListeningBroker("quick")
    found = []

    def work():
        while not found:
            found.extend(hearer.dequeue() or [])
        hearer._listener.close()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    while hearer._listener._connection is None:
        thread.join(0.05)
    settings.PAVE_LISTEN = False
    ListeningBroker("quick").enqueue("a task")
    thread.join(LONG / 3)
    assert [task for _, task in found] == ["a task"]
    thread.join()
