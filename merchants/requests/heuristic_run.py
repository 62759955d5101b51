"""One run of the heuristic, bounded in time whatever the heuristic does."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from django.conf import settings

from merchants.catalogue.rulesets import heuristic_for, merchants_of
from merchants.matching.types import CatalogueMerchant, Match, Transaction
from merchants.models import Resolution


class HeuristicTimeout(BaseException):
    """The heuristic exceeded its time limit.

    Not an ``Exception``, so that a heuristic that catches all exceptions does not catch it.
    """


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a run of the heuristic."""

    match: Match
    duration_ms: int
    # The merchant as in the answering ruleset; None for a custom heuristic.
    published: CatalogueMerchant | None = None


def run(resolution: Resolution, transaction: Transaction) -> Answer:
    """Run the heuristic; call it in a process's main thread, outside any transaction.

    Args:
        resolution: The resolution to answer.
        transaction: A transaction with its key.

    Raises:
        HeuristicTimeout: It took longer than PAVE_HEURISTIC_TIMEOUT.
        Exception: Whatever the heuristic raises.
    """
    heuristic = heuristic_for(resolution.ruleset_id)
    begun = time.monotonic()
    with time_limit(settings.PAVE_HEURISTIC_TIMEOUT):
        _burn(settings.PAVE_HEURISTIC_SECONDS)
        match = heuristic.match(transaction)
    return Answer(
        match=match,
        duration_ms=int(1000 * (time.monotonic() - begun)),
        published=merchants_of(heuristic).get(match.merchant_id or ""),
    )


@contextmanager
def time_limit(seconds: float, *, cpu_seconds: float | None = None) -> Iterator[None]:
    """Raise HeuristicTimeout in the block when its time is up; in a main thread only.

    It replaces django-q2's alarm for the rest of the task. Code that does not return to Python is
    interrupted by neither; the cluster kills such a worker.

    Args:
        seconds: Of wall time, which also passes while a busy machine runs other processes.
        cpu_seconds: Of CPU time of this process.
    """

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    over = False

    def ring(signum: int, frame: FrameType | None) -> None:
        nonlocal over
        if not over:
            over = True
            raise HeuristicTimeout

    limits = [(signal.SIGALRM, signal.ITIMER_REAL, seconds)]
    if cpu_seconds is not None:
        limits.append((signal.SIGPROF, signal.ITIMER_PROF, cpu_seconds))
    before = [signal.signal(number, ring) for number, _, _ in limits]
    for _, timer, after in limits:
        signal.setitimer(timer, after)
    try:
        try:
            yield
        finally:
            over = True  # or the alarm came just here, which it does once
    finally:
        for (number, timer, _), handler in zip(limits, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def _burn(seconds: float) -> None:
    """Burn CPU time, to simulate a slow heuristic (PAVE_HEURISTIC_SECONDS)."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
