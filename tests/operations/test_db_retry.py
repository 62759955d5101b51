import time

import pytest
from django.db import OperationalError, connection, transaction

from pave.clients.models import Client
from pave.core.database import idle_limit
from pave.operations.cluster import db_retry
from tests.servers import ON_SQLITE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(db_retry, "_FIRST_PAUSE", 0)


def away_for(times):
    calls = []

    def work():
        calls.append(1)
        if len(calls) <= times:
            raise OperationalError("server closed the connection")
        return "done"

    return work, calls


def test_work_is_retried_until_the_database_is_back():
    work, calls = away_for(3)
    assert db_retry.retry_while_unavailable(work, seconds=60) == "done"
    assert len(calls) == 4


def test_in_the_end_it_gives_up():
    work, _ = away_for(1000)
    with pytest.raises(OperationalError):
        db_retry.retry_while_unavailable(work, seconds=0)


def test_other_errors_are_not_waited_out():
    def work():
        raise ValueError("of another kind")

    with pytest.raises(ValueError, match="another kind"):
        db_retry.retry_while_unavailable(work, seconds=60)


class Away:
    list_key = "quick"

    def dequeue(self):
        raise OperationalError("away")

    def acknowledge(self, task_id):
        raise OperationalError("away")


def test_an_unavailable_broker_ends_nothing():
    looks = []
    broker = db_retry.ResilientBroker(Away(), lambda: looks.append(1))
    assert broker.dequeue() is None
    broker.acknowledge(1)
    assert looks == [1]
    assert broker.list_key == "quick"


@pytest.mark.skipif(ON_SQLITE, reason="SQLite's locks end with their process")
def test_a_frozen_process_loses_its_locks_and_does_its_work_again(client_1234, monkeypatch):
    monkeypatch.setattr(idle_limit, "IDLE_SECONDS", 0.2)
    connection.close()
    tries = []

    def freeze_at_first():
        with transaction.atomic():
            Client.objects.select_for_update().get(pk=client_1234.client.pk)
            tries.append("try")
            if len(tries) == 1:
                time.sleep(1)
                Client.objects.update(name="of a transaction that has ended")
        return "done"

    assert db_retry.retry_while_unavailable(freeze_at_first, seconds=60) == "done"
    assert len(tries) == 2
    assert not Client.objects.filter(name__contains="ended").exists()
