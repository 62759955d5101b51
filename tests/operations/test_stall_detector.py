"""The judgement whether a cluster gets anywhere, with time passed in."""

from pave.operations.cluster.stall_detector import IDLE_SECONDS, UNFETCHED_SECONDS, Progress

LONGEST = 60.0
IDLE, BUSY = {1}, set()


def look(progress, now, *, done=0, fetched=0, idle=BUSY, has_room=True):
    return progress.look(now=now, done=done, fetched=fetched, idle=idle, has_room=has_room)


def test_a_cluster_that_does_tasks_is_well():
    progress = Progress(0.0, LONGEST)
    for now in range(300):
        assert look(progress, float(now), done=now // 5, fetched=now, idle=IDLE) is None


def test_an_idle_worker_that_gets_no_task_is_noticed_soon():
    progress = Progress(0.0, LONGEST)
    assert look(progress, 1.0, fetched=1, idle=IDLE) is None
    assert look(progress, IDLE_SECONDS, fetched=2, idle=IDLE) is None
    wrong = look(progress, IDLE_SECONDS + 1.5, fetched=3, idle=IDLE)
    assert wrong == "idle_workers_get_no_task"


def test_busy_workers_may_take_their_time():
    progress = Progress(0.0, LONGEST)
    for now in range(60):
        assert look(progress, float(now), fetched=now) is None
    assert look(progress, 61.0, fetched=61) == "no_task_gets_done"


def test_a_worker_that_was_busy_a_moment_ago_is_not_idle_for_long():
    progress = Progress(0.0, LONGEST)
    for now in range(40):
        assert look(progress, float(now), fetched=now, idle=IDLE if now % 10 else BUSY) is None


def test_a_pusher_that_looks_for_no_task_is_noticed():
    progress = Progress(0.0, LONGEST)
    late = UNFETCHED_SECONDS + 1
    assert look(progress, 1.0, done=1, fetched=7) is None
    assert look(progress, late, done=2, fetched=7) is None
    assert look(progress, late + 1, done=3, fetched=7) == "pusher_stands_still"


def test_a_pusher_without_room_may_stand_still():
    progress = Progress(0.0, LONGEST)
    for now in range(50):
        assert look(progress, float(now), done=now, has_room=False) is None
