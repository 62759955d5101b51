"""The heuristic's processes: claim resolutions, run the heuristic, and finish them.

A run takes a fraction of a millisecond or half a minute, and nobody knows beforehand. As long as
runs are fast, many are claimed at once and stored together, since a transaction for each would cost
several times as much as the run. A second thread makes sure that none of them waits for a slow one:
it stores the answered ones, and releases those that are not begun.
"""

import copy
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from django.conf import settings
from django.db import connections
from django.utils import timezone

from merchants.models import Resolution, Waiter
from merchants.requests.heuristic_run import Answer, run
from merchants.requests.resolutions.attempts import begin, fail, finish, release
from merchants.requests.resolutions.claims import Claim, charge_actual, claim
from merchants.wakeups import RESOLVE
from pave.core.database.along_index import exists_along
from pave.core.time_limit import TimeUp
from pave.operations.cluster import memory_limit, shutdown
from pave.operations.cluster.db_retry import DATABASE_ERRORS, retry_while_unavailable
from pave.operations.cluster.work_loop import pause
from pave.operations.cluster.worker_names import worker_name

logger = logging.getLogger(__name__)

# How long a worker goes on claiming, in seconds: many fast runs, or one slow one.
SLICE_SECONDS = 5.0
# How long an answer is kept in memory while the database is unavailable, in seconds. (The cluster
# kills a worker that hangs in any case.)
RETRY_SECONDS = 60.0
# A claim is as large as would be answered in this time, in seconds, if each run took as long as the
# slowest before; and has at most this number.
CLAIM_SECONDS = 0.1
CLAIM_LIMIT = 64
# The others do not wait for a run that takes longer than this, in seconds, nor for several that
# together do.
SLOW_SECONDS = 0.25
LONG_SECONDS = 1.0


def resolve_due(*, linger: float = 0.0) -> int:
    """Work on due resolutions for a slice of time; return how many there were.

    Args:
        linger: How long to wait for more after the last, in seconds: they often come in groups, and
            waking a worker takes longer than a poll.
    """
    worker = worker_name()
    begun = active = time.monotonic()
    worked = 0
    limit = 1
    while time.monotonic() - begun < SLICE_SECONDS and not shutdown.requested():
        if worked and memory_limit.is_exceeded():
            logger.warning("worker.too_large", extra={"limit_mb": settings.PAVE_WORKER_MAX_RSS})
            break  # the process ends with its task
        claimed = claim(worker=worker, limit=limit)
        if claimed:
            slowest = work(claimed)
            memory_limit.note_loaded(RESOLVE.task)  # what was loaded for the first ones is no leak
            limit = max(1, min(CLAIM_LIMIT, int(CLAIM_SECONDS / max(slowest, 1e-6))))
            worked += len(claimed)
            active = time.monotonic()
        elif not worked or time.monotonic() - active >= linger:
            return worked
        else:
            pause(RESOLVE, active)
    if exists_along(Waiter.objects.due(timezone.now()), "client_id", "bulk", "due_at"):
        RESOLVE.send()
    return worked


def work(claimed: Sequence[Claim]) -> float:
    """Run the heuristic on claimed resolutions, and store the answers.

    Returns:
        How long the slowest run took, in seconds.
    """
    begun = time.monotonic()
    together = _ClaimedTogether(claimed)
    try:
        with together.watched():
            while (next_claim := together.take()) is not None:
                together.work_on(next_claim)
    finally:
        together.flush()
    seconds = time.monotonic() - begun
    client = claimed[0].client
    retry_while_unavailable(
        lambda: charge_actual(client=client, seconds=seconds), seconds=RETRY_SECONDS
    )
    return together.slowest


class _ClaimedTogether:
    """What a worker has claimed at once: not begun, running, answered."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.slowest = 0.0
        self._alone = len(claims) == 1
        self._left = list(reversed(claims))
        self._answered: list[tuple[Resolution, Answer]] = []
        self._taken_at = time.monotonic()
        self._run_at: float | None = None
        self._error: Exception | None = None
        # Between the thread that runs the heuristic and the one that watches it.
        self._lock = threading.Lock()
        self._done = threading.Event()

    def take(self) -> Claim | None:
        """Begin the next claim and return it."""
        while True:
            with self._lock:
                if not self._left:
                    return None
                taken = self._left.pop()
            if self._alone or retry_while_unavailable(
                partial(begin, taken.resolution), seconds=RETRY_SECONDS
            ):
                return taken

    def work_on(self, taken: Claim) -> None:
        """Run the heuristic on one resolution, outside any transaction."""
        resolution = taken.resolution
        begun = self._run_at = time.monotonic()
        try:
            answer = run(resolution, taken.transaction)
        except TimeUp:
            limit = f"{settings.PAVE_HEURISTIC_TIMEOUT:g} s"
            _fail(resolution, f"The heuristic took longer than {limit}.")
        except Exception as raised:
            logger.exception("resolution.raised", extra={"resolution": resolution.pk})
            _fail(resolution, f"The heuristic failed: {type(raised).__name__}.")
        else:
            with self._lock:
                self._answered.append((resolution, answer))
        finally:
            self._run_at = None
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def flush(self) -> None:
        """Store the answered claims, and release those that are not begun."""
        with self._lock:
            answered, self._answered = self._answered, []
            left, self._left = self._left, []
        try:
            if answered:
                _store(answered)
        finally:
            if left:
                resolutions = [taken.resolution for taken in left]
                retry_while_unavailable(lambda: release(resolutions), seconds=RETRY_SECONDS)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """During the block, keep other claims from waiting for a slow run."""
        if self._alone:
            yield
            return
        watch = threading.Thread(target=self._watch, name="watch", daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._done.set()
            watch.join()
        if self._error is not None:
            # The task fails, so what is not stored is requeued at once.
            raise self._error

    def _watch(self) -> None:
        while not self._done.wait(SLOW_SECONDS / 5):
            now = time.monotonic()
            run_at = self._run_at
            if run_at is not None and (
                now - run_at > SLOW_SECONDS or now - self._taken_at > LONG_SECONDS
            ):
                break
        else:
            return
        try:
            self.flush()
        except Exception as error:
            self._error = error
        finally:
            connections.close_all()


def _store(answered: Sequence[tuple[Resolution, Answer]]) -> None:
    """Store answers together; if that fails, each by itself."""
    try:
        retry_while_unavailable(lambda: finish(answered), seconds=RETRY_SECONDS)
    except DATABASE_ERRORS:
        raise
    except Exception as error:
        if len(answered) > 1:
            for pair in answered:
                _store([pair])
            return
        resolution, _ = answered[0]
        logger.exception("resolution.not_stored", extra={"resolution": resolution.pk})
        _fail(resolution, f"The heuristic's answer cannot be stored: {type(error).__name__}.")


def _fail(resolution: Resolution, error: str) -> None:
    # A copy each time, since a failed attempt may have changed the resolution.
    retry_while_unavailable(lambda: fail(copy.copy(resolution), error), seconds=RETRY_SECONDS)
