"""Whether a cluster makes progress, with time passed in."""

from pave.operations.cluster.cluster_progress import IDLE_SECONDS, UNFETCHED_SECONDS, Progress

LONGEST = 60.0
IDLE, BUSY = {1}, set()


def check(progress, now, *, done=0, fetched=0, idle=BUSY, can_enqueue=True):
    return progress.check(now=now, done=done, fetched=fetched, idle=idle, can_enqueue=can_enqueue)


def test_a_cluster_that_does_tasks_is_healthy():
    progress = Progress(0.0, LONGEST)
    for now in range(300):
        assert check(progress, float(now), done=now // 5, fetched=now, idle=IDLE) is None


def test_an_idle_worker_that_gets_no_task_is_detected_soon():
    progress = Progress(0.0, LONGEST)
    assert check(progress, 1.0, fetched=1, idle=IDLE) is None
    assert check(progress, IDLE_SECONDS, fetched=2, idle=IDLE) is None
    problem = check(progress, IDLE_SECONDS + 1.5, fetched=3, idle=IDLE)
    assert problem == "idle_workers_get_no_task"


def test_busy_workers_may_take_their_time():
    progress = Progress(0.0, LONGEST)
    for now in range(60):
        assert check(progress, float(now), fetched=now) is None
    assert check(progress, 61.0, fetched=61) == "no_task_gets_done"


def test_a_worker_that_was_busy_a_moment_ago_is_not_idle_for_long():
    progress = Progress(0.0, LONGEST)
    for now in range(40):
        assert check(progress, float(now), fetched=now, idle=IDLE if now % 10 else BUSY) is None


def test_a_pusher_that_does_not_poll_is_detected():
    progress = Progress(0.0, LONGEST)
    late = UNFETCHED_SECONDS + 1
    assert check(progress, 1.0, done=1, fetched=7) is None
    assert check(progress, late, done=2, fetched=7) is None
    assert check(progress, late + 1, done=3, fetched=7) == "pusher_stands_still"


def test_a_pusher_before_a_full_queue_may_stand_still():
    progress = Progress(0.0, LONGEST)
    for now in range(50):
        assert check(progress, float(now), done=now, can_enqueue=False) is None
