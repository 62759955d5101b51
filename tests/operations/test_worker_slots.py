"""Never do all workers of a cluster send, nor admit."""

import os
import signal

import pytest

from merchants.requests import admission
from pave.operations.cluster import worker_slots
from webhooks.delivery import dispatcher


@pytest.fixture(params=[admission, dispatcher])
def work(request, monkeypatch):
    """A module with slots, as it is outside of a cluster."""
    monkeypatch.setattr(request.param, "SLOTS", worker_slots.WorkerSlots())
    return request.param


def in_a_worker(script):
    """Run ``script`` in a forked process and return its id."""
    pid = os.fork()
    if pid == 0:
        try:
            script()
        finally:
            os._exit(1)
    return pid


def taken(work):
    with work.SLOTS.acquire() as acquired:
        return acquired


def test_outside_of_a_cluster_there_is_always_one(work):
    assert taken(work)


def test_one_worker_is_left_beside_exclusive_work(settings):
    assert worker_slots.count() == settings.Q_CLUSTER["workers"] - 2 > 0


def test_whoever_comes_when_all_are_taken_gets_none_until_one_is_free(work):
    work.SLOTS.create()
    read, write = os.pipe()

    def sit():
        with work.SLOTS.acquire() as acquired:
            os.write(write, b"y" if acquired else b"n")
            signal.pause()

    workers = [in_a_worker(sit) for _ in range(worker_slots.count())]
    try:
        assert b"".join(os.read(read, 1) for _ in workers) == b"y" * len(workers)
        assert not taken(work)
        # Killed, not asked: the kernel releases the slot.
        os.kill(workers[0], signal.SIGKILL)
        os.waitpid(workers.pop(0), 0)
        assert taken(work)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(read)
        os.close(write)
