"""One run of the heuristic, which has an end whatever the heuristic does."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import FrameType
from typing import Any

from django.conf import settings

from merchants.models import Resolution
from merchants.question import Match, Transaction
from merchants.rulesets import heuristic_for


class HeuristicTimeout(BaseException):
    """The heuristic ran for longer than it may.

    No ``Exception``, so that a heuristic that catches everything does not catch this.
    """


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of the heuristic gave."""

    match: Match
    duration_ms: int


def run(resolution: Resolution) -> Answer:
    """Ask the heuristic; call it in a process's main thread, outside any transaction.

    Raises:
        HeuristicTimeout: It took longer than PAVE_HEURISTIC_TIMEOUT.
        Exception: Whatever the heuristic raises.
    """
    heuristic = heuristic_for(resolution.ruleset_id)
    begun = time.monotonic()
    with time_limit(settings.PAVE_HEURISTIC_TIMEOUT):
        _burn(settings.PAVE_HEURISTIC_SECONDS)
        match = heuristic.match(transaction_of(resolution.transaction))
    return Answer(match=match, duration_ms=int(1000 * (time.monotonic() - begun)))


def transaction_of(stored: dict[str, Any]) -> Transaction:
    """Return the transaction that a resolution keeps; see ``questions.as_json``."""
    return Transaction(
        **{
            **stored,
            "amount": Decimal(stored["amount"]) if stored["amount"] else None,
            "date": date.fromisoformat(stored["date"]) if stored["date"] else None,
        }
    )


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise HeuristicTimeout in the body after ``seconds``; only a main thread can be told.

    It takes the place of django-q2's alarm, which is off for the rest of the task. Code that does
    not come back to Python hears neither; such a worker is ended by its cluster's guard.
    """

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise HeuristicTimeout

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _burn(seconds: float) -> None:
    """Use up so much CPU time, as the seed's heuristic did (PAVE_HEURISTIC_SECONDS)."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
