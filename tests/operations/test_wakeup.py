import threading
import time
from contextlib import contextmanager

import pytest
from django.core.cache import cache
from django.db import connection
from django_q.models import OrmQ

from pave.operations.cluster import wakeup as wakeup_module
from pave.operations.cluster import work_loop
from pave.operations.cluster.django_q2 import get_broker
from pave.operations.cluster.notifications import NotificationListener
from pave.operations.cluster.wakeup import Wakeup
from pave.operations.cluster.work_loop import WorkLoop
from tests.servers import ON_SQLITE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]

WAKEUP = Wakeup(task="pave.operations.cluster.canary", queue="quick")


ONCE = Wakeup(task="pave.operations.cluster.once", queue="quick", debounced=False, once=True)
MANY = Wakeup(task="pave.operations.cluster.many", queue="quick", debounced=False)
LONG = 30.0


def later(monkeypatch):
    """Let the time go by in which this process need not look."""
    monkeypatch.setattr(wakeup_module, "_quiet_until", {})
    monkeypatch.setattr(wakeup_module, "_sent_at", {})


def test_a_wakeup_that_was_sent_is_not_sent_again(monkeypatch):
    for _ in range(5):
        WAKEUP.send()
        later(monkeypatch)
    assert OrmQ.objects.count() == 1


def test_nothing_is_sent_while_a_worker_is_awake(monkeypatch):
    WAKEUP.mark_awake()
    WAKEUP.send()
    assert OrmQ.objects.count() == 0
    WAKEUP.mark_idle()
    later(monkeypatch)
    WAKEUP.send()
    assert OrmQ.objects.count() == 1


def test_sending_twice_in_a_moment_costs_one_query(django_assert_num_queries):
    WAKEUP.send()
    with django_assert_num_queries(0):
        WAKEUP.send()


def test_into_a_lost_queue_it_is_sent_again(monkeypatch):
    WAKEUP.send()
    OrmQ.objects.all().delete()
    cache.clear()
    later(monkeypatch)
    WAKEUP.send()
    assert OrmQ.objects.count() == 1


def test_no_more_than_a_few_wakeups_wait_for_a_cluster_that_is_down(monkeypatch):
    for _ in range(50):
        cache.clear()
        later(monkeypatch)
        WAKEUP.send()
    assert OrmQ.objects.count() == 2 * wakeup_module.MAX_WAITING


def test_an_unavailable_broker_breaks_nothing(monkeypatch):
    def away(queue):
        raise ConnectionError

    monkeypatch.setattr(wakeup_module, "get_broker", away)
    WAKEUP.send()


def test_a_work_loop_that_ends_in_the_middle_of_work_was_busy(monkeypatch):
    loop = WorkLoop(WAKEUP, seconds=0)
    assert not loop.should_continue()
    assert loop.was_busy


def test_what_one_run_handles_is_sent_once_until_a_worker_starts():
    wakeup = Wakeup(
        task="pave.operations.cluster.canary", queue="quick", debounced=False, once=True
    )
    for _ in range(5):
        wakeup.send()
    assert OrmQ.objects.count() == 1
    wakeup.acknowledge()
    for _ in range(5):
        wakeup.send()
    assert OrmQ.objects.count() == 2


def fill():
    """Have no more room for tasks."""
    ONCE.send()
    (task,) = OrmQ.objects.all()
    ONCE.acknowledge()
    OrmQ.objects.bulk_create(
        OrmQ(key=task.key, payload=task.payload, lock=task.lock)
        for _ in range(2 * wakeup_module.MAX_WAITING)
    )


def test_many_in_a_row_do_not_crowd_out_the_others():
    MANY.send(times=50)
    assert OrmQ.objects.count() == wakeup_module.MAX_WAITING
    WAKEUP.send()
    ONCE.send()
    assert OrmQ.objects.count() == wakeup_module.MAX_WAITING + 2


@pytest.mark.parametrize("wakeup", [WAKEUP, ONCE])
def test_one_that_met_a_full_queue_is_sent_when_there_is_capacity(wakeup, monkeypatch):
    fill()
    wakeup.send()
    OrmQ.objects.all().delete()
    later(monkeypatch)
    wakeup.send()
    assert OrmQ.objects.count() == 1


def test_while_no_cluster_runs_sending_twice_in_a_moment_costs_one_query(
    django_assert_num_queries, settings
):
    fill()
    WAKEUP.send()
    with django_assert_num_queries(0):
        WAKEUP.send()


def test_exclusive_work_has_one_worker():
    other = Wakeup(
        task="pave.operations.cluster.another", queue="quick", debounced=False, once=True
    )
    with ONCE.exclusive() as first, other.exclusive() as second:
        assert (first, second) == (True, False)
    with other.exclusive() as exclusive:
        assert exclusive


def test_exclusive_work_has_one_worker_however_long_it_takes(monkeypatch):
    monkeypatch.setattr(wakeup_module, "EXCLUSIVE_SECONDS", 1)
    with ONCE.exclusive() as first:
        assert first
        time.sleep(2.5)
        with ONCE.exclusive() as second:
            assert not second


def test_a_queue_that_somebody_has_flooded_is_emptied(monkeypatch, caplog):
    monkeypatch.setattr(wakeup_module, "NOT_PAVES", 20)
    broker = get_broker(WAKEUP.queue)
    for _ in range(21):
        broker.enqueue("x" * 20)
    WAKEUP.send()
    assert broker.queue_size() == 1
    assert "wakeup.queue_purged" in caplog.messages


@contextmanager
def awake(wakeup, monkeypatch):
    """During the block, a worker that would poll the rows again only after a long time."""
    monkeypatch.setattr(work_loop, "QUIET_POLL_SECONDS", LONG)
    listener = NotificationListener(wakeup_module.CHANNEL, LONG)
    monkeypatch.setattr(work_loop, "_listener", listener)

    def work():
        with work_loop.listening():
            work_loop.pause(wakeup, active_at=0.0)  # until it has connected
            work_loop.pause(wakeup, active_at=0.0)
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    while listener._connection is None:
        worker.join(0.05)
    worker.join(0.2)  # what was sent while it opened its connection
    yield worker
    later(monkeypatch)
    wakeup.send()
    worker.join(LONG / 3)
    assert not worker.is_alive()
    assert listener._connection is None


@pytest.mark.skipif(ON_SQLITE, reason="SQLite has no notifications.")
@pytest.mark.parametrize("wakeup", [WAKEUP, MANY])
def test_a_worker_that_is_awake_is_told_at_once(wakeup, monkeypatch):
    wakeup.mark_awake()
    other = MANY if wakeup is WAKEUP else WAKEUP
    with awake(wakeup, monkeypatch) as worker:
        other.send()
        worker.join(0.5)
        assert worker.is_alive()  # that was none of its business
