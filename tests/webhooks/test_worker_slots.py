"""Never do all workers of a cluster send."""

import os
import signal

import pytest

from webhooks.delivery import worker_slots


@pytest.fixture(autouse=True)
def laid_out(monkeypatch):
    monkeypatch.setattr(worker_slots, "_file", None)


def in_a_worker(script):
    """Run ``script`` in a forked process and return its id."""
    pid = os.fork()
    if pid == 0:
        try:
            script()
        finally:
            os._exit(1)
    return pid


def taken():
    with worker_slots.acquire() as acquired:
        return acquired


def test_outside_of_a_cluster_there_is_always_one():
    assert taken()


def test_there_is_one_less_than_workers(settings):
    assert worker_slots.count() == settings.Q_CLUSTER["workers"] - 1


def test_whoever_comes_when_all_are_taken_gets_none_until_one_is_free():
    worker_slots.create()
    read, write = os.pipe()

    def sit():
        with worker_slots.acquire() as acquired:
            os.write(write, b"y" if acquired else b"n")
            signal.pause()

    workers = [in_a_worker(sit) for _ in range(worker_slots.count())]
    try:
        assert b"".join(os.read(read, 1) for _ in workers) == b"y" * len(workers)
        assert not taken()
        # Killed, not asked: the kernel releases the slot.
        os.kill(workers[0], signal.SIGKILL)
        os.waitpid(workers.pop(0), 0)
        assert taken()
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(read)
        os.close(write)
