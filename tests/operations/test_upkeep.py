import time
from datetime import timedelta

import pytest
from django.core.cache import cache

from pave.operations import retention, upkeep


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    for name, value in {"_pruning": None, "_pruned": 0, "_next_prune_at": 0.0}.items():
        monkeypatch.setattr(upkeep, name, value)
    monkeypatch.setattr(upkeep, "_rolled_up_at", upkeep.time.monotonic())


@pytest.fixture
def steps(monkeypatch):
    done = []

    def prune():
        for number in range(3):
            done.append(number)
            yield 10

    monkeypatch.setattr(retention, "prune", prune)
    return done


@pytest.mark.django_db
def test_old_rows_go_a_bit_in_each_round(monkeypatch):
    def prune():
        for _ in range(2):
            end = time.monotonic() + 2 * upkeep.PRUNE_SLICE_SECONDS
            while time.monotonic() < end:
                pass
            yield 10

    monkeypatch.setattr(upkeep, "PRUNE_SLICE_SECONDS", 0.01)
    monkeypatch.setattr(retention, "prune", prune)
    upkeep._prune_slice()
    assert upkeep._pruned == 10
    upkeep._prune_slice()
    assert upkeep._pruned == 20


def as_another_supervisor():
    upkeep._pruning = None
    upkeep._next_prune_at = 0.0
    upkeep._prune_slice()


@pytest.mark.django_db
def test_one_supervisor_does_it_and_only_once_a_day(steps):
    upkeep._prune_slice()
    assert len(steps) == 3
    cache.delete(upkeep._CLAIM)
    as_another_supervisor()
    assert len(steps) == 3
    cache.delete_many([upkeep._CLAIM, upkeep._DONE])
    as_another_supervisor()
    assert len(steps) == 6
    assert timedelta(seconds=upkeep.PRUNE_INTERVAL) == timedelta(days=1)


@pytest.mark.django_db
def test_another_one_goes_on_once_the_claim_of_one_that_ended_is_over(steps, monkeypatch):
    monkeypatch.setattr(upkeep, "PRUNE_SLICE_SECONDS", -1)
    upkeep._prune_slice()
    assert steps == []
    monkeypatch.setattr(upkeep, "PRUNE_SLICE_SECONDS", 1)
    as_another_supervisor()
    assert steps == []
    cache.delete(upkeep._CLAIM)
    as_another_supervisor()
    assert len(steps) == 3


@pytest.mark.django_db
def test_after_a_failure_it_goes_on_in_a_minute(monkeypatch, steps):
    prune = retention.prune

    def fails():
        yield 1
        raise OSError("away")

    monkeypatch.setattr(retention, "prune", fails)
    with pytest.raises(OSError, match="away"):
        upkeep._prune_slice()
    assert upkeep._pruning is None
    monkeypatch.setattr(retention, "prune", prune)
    cache.delete(upkeep._CLAIM)
    as_another_supervisor()
    assert len(steps) == 3
