import pytest
from django.core.cache import cache
from django_q.models import OrmQ

from pave.operations.cluster import wakeup as bells
from pave.operations.cluster.wakeup import Bell
from pave.operations.cluster.work_loop import Shift

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]

BELL = Bell(task="pave.operations.cluster.canary", queue="quick")


def later(monkeypatch):
    """Let the time go by in which this process need not look."""
    monkeypatch.setattr(bells, "_quiet_until", {})


def test_a_bell_that_rings_already_is_not_rung_again(monkeypatch):
    for _ in range(5):
        BELL.ring()
        later(monkeypatch)
    assert OrmQ.objects.count() == 1


def test_nobody_needs_to_ring_while_a_listener_is_awake(monkeypatch):
    BELL.stay_awake()
    BELL.ring()
    assert OrmQ.objects.count() == 0
    BELL.fall_asleep()
    later(monkeypatch)
    BELL.ring()
    assert OrmQ.objects.count() == 1


def test_ringing_twice_in_a_moment_costs_one_look(django_assert_num_queries):
    BELL.ring()
    with django_assert_num_queries(0):
        BELL.ring()


def test_a_lost_queue_is_rung_into_again(monkeypatch):
    BELL.ring()
    OrmQ.objects.all().delete()
    cache.clear()
    later(monkeypatch)
    BELL.ring()
    assert OrmQ.objects.count() == 1


def test_no_more_than_a_few_bells_wait_for_a_cluster_that_is_away(monkeypatch):
    for _ in range(50):
        cache.clear()
        later(monkeypatch)
        BELL.ring()
    assert OrmQ.objects.count() == 2 * bells.MAX_WAITING


def test_a_broker_that_is_away_breaks_nothing(monkeypatch):
    def away(queue):
        raise ConnectionError

    monkeypatch.setattr(bells, "get_broker", away)
    BELL.ring()


def test_a_shift_that_ends_in_the_middle_of_work_says_so(monkeypatch):
    shift = Shift(BELL, seconds=0)
    assert not shift.goes_on()
    assert shift.ended_busy


def test_what_one_look_sees_is_rung_for_once_until_somebody_looks():
    bell = Bell(task="pave.operations.cluster.canary", queue="quick", flag=False, once=True)
    for _ in range(5):
        bell.ring()
    assert OrmQ.objects.count() == 1
    bell.hear()
    for _ in range(5):
        bell.ring()
    assert OrmQ.objects.count() == 2


ONCE = Bell(task="pave.operations.cluster.once", queue="quick", flag=False, once=True)


def fill():
    """Have no more room for tasks."""
    ONCE.ring()
    (task,) = OrmQ.objects.all()
    ONCE.hear()
    OrmQ.objects.bulk_create(
        OrmQ(key=task.key, payload=task.payload, lock=task.lock)
        for _ in range(2 * bells.MAX_WAITING)
    )


def test_those_that_ring_in_a_row_keep_none_of_the_others_out():
    Bell(task="pave.operations.cluster.many", queue="quick", flag=False).ring(times=50)
    assert OrmQ.objects.count() == bells.MAX_WAITING
    BELL.ring()
    ONCE.ring()
    assert OrmQ.objects.count() == bells.MAX_WAITING + 2


@pytest.mark.parametrize("bell", [BELL, ONCE])
def test_one_that_found_no_room_rings_when_there_is_some(bell):
    fill()
    bell.ring()
    OrmQ.objects.all().delete()
    bell.ring()
    assert OrmQ.objects.count() == 1


def test_such_work_has_one_worker():
    other = Bell(task="pave.operations.cluster.another", queue="quick", flag=False, once=True)
    with ONCE.alone() as first, other.alone() as second:
        assert (first, second) == (True, False)
    with other.alone() as alone:
        assert alone
