"""Workers whose memory grows are replaced; what they need in any case is no growth."""

import psutil
import pytest

from pave.operations.cluster import memory_limit
from pave.operations.cluster.django_q2 import Conf
from pave.operations.cluster.sentinel import _after_task

MB = 1_000_000


@pytest.fixture(autouse=True)
def worker(monkeypatch, settings):
    """A worker that has done nothing yet."""
    settings.PAVE_WORKER_MAX_RSS = 50
    monkeypatch.setattr(memory_limit, "_loaded", set())
    monkeypatch.setattr(Conf, "MAX_RSS", None)
    memory_limit.start()


def grow(megabytes):
    """Use more memory than this process has ever had, and give it back."""
    peak = memory_limit.peak_kilobytes() * 1024
    bytearray(peak - psutil.Process().memory_info().rss + megabytes * MB)


def test_what_is_loaded_for_the_first_work_of_a_kind_is_no_growth():
    for task in ("send", "admit"):
        grow(100)
        memory_limit.note_loaded(task)
        assert not memory_limit.is_exceeded()
        memory_limit.note_loaded(task)


@pytest.mark.parametrize("task", ["webhooks.tasks.send", "merchants.tasks.revise"])
def test_a_worker_that_grows_is_replaced_whatever_it_does(task):
    memory_limit.note_loaded(task)
    grow(100)
    memory_limit.note_loaded(task)
    assert memory_limit.is_exceeded()


def test_a_run_that_finds_nothing_is_no_first_work():
    _after_task({"func": "admit", "success": True, "result": 0})
    grow(100)
    memory_limit.note_loaded("admit")
    assert not memory_limit.is_exceeded()


def test_a_process_that_is_no_worker_has_no_limit(monkeypatch):
    monkeypatch.setattr(Conf, "MAX_RSS", None)
    memory_limit.note_loaded("send")
    grow(100)
    assert not memory_limit.is_exceeded()
