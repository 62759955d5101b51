import pytest
from django.db import OperationalError

from pave.operations.cluster import db_retry

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(db_retry.time, "sleep", lambda seconds: None)


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
