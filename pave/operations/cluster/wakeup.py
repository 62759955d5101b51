"""The bells that wake the cluster.

Rows are the truth: they say what there is to do. A task of django-q2 is only a bell, which says
"look now". So a bell may be lost (the supervisor's sweep rings again within about a second), may
ring twice (the second finds nothing to do), and need not ring while somebody is looking anyway.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from django.core.cache import cache
from django.db import transaction
from django_q.brokers import get_broker
from django_q.tasks import async_task

logger = logging.getLogger(__name__)

# A bell that has rung is taken to be heard for this long; then it is rung again.
RUNG_SECONDS = 2
# Whoever is awake says so at least this often, in seconds; see ``stay_awake``.
AWAKE_SECONDS = 3
# Whoever found a listener awake need not look again for this long: the listener has its row to work
# on first, and stays awake for work_loop.LINGER_SECONDS after that, which is longer.
QUIET_SECONDS = 0.5
# However often bells are rung into a cluster that is away, they add no task while so many wait for
# it; those of which one ring is spared by another, while twice as many do.
MAX_WAITING = 8
# How long a listener may be the only one at its work, in seconds, if it dies at it.
ALONE_SECONDS = 10

# Until when this process need not look at a bell, by its task; seconds of the monotonic clock.
_quiet_until: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Bell:
    """A task that works through rows until none is due.

    Args:
        task: Dotted path of the task; it takes no arguments.
        queue: The queue of the cluster that hears it.
        flag: Whether the listener stays awake and says so (``stay_awake``), so that ringing can be
            spared.
        once: Whether one look sees all that there is, so that ringing can be spared from one ring
            until a listener looks (``hear``).

    With neither, a ring is spared only while enough tasks wait.
    """

    task: str
    queue: str
    flag: bool = True
    once: bool = False

    def ring(self, times: int = 1) -> None:
        """Wake a listener once the open transaction is committed. Never raises."""
        transaction.on_commit(lambda: self._ring(times))

    def _ring(self, times: int) -> None:
        try:
            if self.flag:
                now = time.monotonic()
                if now < _quiet_until.get(self.task, 0.0):
                    return
                _quiet_until[self.task] = now + QUIET_SECONDS
                if cache.get(self._key):
                    return
                cache.set(self._key, "rung", RUNG_SECONDS)
            elif self.once and not cache.add(self._key, "rung", RUNG_SECONDS):
                return
            # Those that ring in a row are not to keep the others out.
            most = MAX_WAITING * (2 if self.flag or self.once else 1)
            waiting = get_broker(self.queue).queue_size()
            if waiting >= most:
                self._take_back()
            for _ in range(min(times, most - waiting)):
                async_task(self.task, cluster=self.queue, save=False)
        except Exception:
            with suppress(Exception):
                self._take_back()
            # The rows are committed; the sweep will ring when the broker is back.
            logger.warning("bell.not_rung task=%s", self.task, exc_info=True)

    def _take_back(self) -> None:
        """Let the next ring be heard: this one was not."""
        _quiet_until.pop(self.task, None)
        cache.delete(self._key)

    def stay_awake(self) -> None:
        """Say that a listener is looking, so that nobody needs to ring for a while."""
        cache.set(self._key, "awake", AWAKE_SECONDS)

    def hear(self) -> None:
        """Say that a listener looks now: whoever rings from here on, rings for another look."""
        cache.delete(self._key)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Look now, and say whether nobody else is at such work: it has one worker of a queue.

        Such work is no hurry and may be much of it, and the other workers are for what is.
        """
        self.hear()
        key, mine = f"bell:alone:{self.queue}", uuid4().hex
        alone = cache.add(key, mine, ALONE_SECONDS)
        try:
            yield alone
        finally:
            if cache.get(key) == mine:
                cache.delete(key)

    def fall_asleep(self) -> None:
        """Take back ``stay_awake``. The listener must look at the rows once more after this.

        Whoever found the bell ringing had committed its row before, so that last look finds it.
        """
        cache.delete(self._key)

    @property
    def _key(self) -> str:
        return f"bell:{self.task}"
