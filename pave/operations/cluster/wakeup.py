"""Wake-ups: django-q2 tasks that make a worker poll the rows.

The rows are the queue. So a wake-up may be lost (the supervisor's sweep sends it again within about
a second), may come twice (the second finds nothing to do), and need not be sent while a worker is
polling anyway.
"""

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from uuid import uuid4

from django.conf import settings
from django.core.cache import cache
from django.db import connections, transaction

from pave.operations.cluster.django_q2 import async_task, get_broker
from pave.operations.cluster.notifications import notify

logger = logging.getLogger(__name__)

# Each has a cluster of its own.
QUEUES: tuple[str, ...] = tuple(settings.Q_CLUSTER["ALT_CLUSTERS"])
# A wake-up that was sent is not sent again for this long.
SENT_SECONDS = 2
# A worker that is awake says so at least this often, in seconds; see ``mark_awake``.
AWAKE_SECONDS = 3
# A process that found a worker awake does not check again for this long. The worker has that row
# to work on first, and stays awake for work_loop.LINGER_SECONDS after that, which is longer.
QUIET_SECONDS = 0.5
# While the cluster is down, no task is added to a queue of this length; wake-ups that are sent
# once for many rows may add up to twice as many, so that the others cannot crowd them out.
MAX_WAITING = 8
# A queue of this length has been filled by somebody else. What Pave sends is sent again.
NOT_PAVES = 1_000
# How long a worker that died keeps others from exclusive work, in seconds.
EXCLUSIVE_SECONDS = 10

# A broker that failed is not tried again for this long, so that few requests wait for it. The sweep
# sends what is not sent meanwhile.
AWAY_SECONDS = 2.0
# Workers that are awake listen here for the task that they do.
CHANNEL = "pave_due"
# Those who send one after the other within this time, in seconds, do not notify: the next poll is
# never far then, and finds several rows.
ALONE_SECONDS = 0.05

# When this process last sent a wake-up, by its task; seconds of the monotonic clock.
_sent_at: dict[str, float] = {}
_away_until: dict[str, float] = {}
# Until when this process need not send a wake-up, by its task; seconds of the monotonic clock.
_quiet_until: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Wakeup:
    """A task that works through rows until none is due.

    Args:
        task: Dotted path of the task; it takes no arguments.
        queue: The queue of the cluster that runs it.
        debounced: Whether its worker stays awake for a while and says so (``mark_awake``): it is
            not sent meanwhile.
        once: Whether one run handles all rows: it is not sent again until a worker starts
            (``acknowledge``).

    With neither, it is held back only while ``MAX_WAITING`` tasks wait.
    """

    task: str
    queue: str
    debounced: bool = True
    once: bool = False

    def send(self, times: int = 1) -> None:
        """Wake a worker once the open transaction is committed. Never raises."""
        transaction.on_commit(lambda: self._send(times))

    def _send(self, times: int) -> None:
        now = time.monotonic()
        if not self.once and now - _sent_at.get(self.task, -math.inf) > ALONE_SECONDS:
            with suppress(Exception):  # it is found by the next poll
                notify(CHANNEL, self.task)
        _sent_at[self.task] = now
        if now < _away_until.get(self.queue, 0.0):
            return
        try:
            if self.debounced:
                if now < _quiet_until.get(self.task, 0.0):
                    return
                _quiet_until[self.task] = now + QUIET_SECONDS
            if (self.debounced or self.once) and not cache.add(self._key, "sent", SENT_SECONDS):
                return
            limit = MAX_WAITING * (2 if self.debounced or self.once else 1)
            broker = get_broker(self.queue)
            waiting = broker.queue_size()
            if waiting > NOT_PAVES:
                logger.error("wakeup.queue_purged", extra={"queue": self.queue, "tasks": waiting})
                broker.purge_queue()
                waiting = 0
            if waiting >= limit:
                cache.delete(self._key)  # it was not sent: others may, and the sweep does
            for _ in range(min(times, limit - waiting)):
                async_task(self.task, cluster=self.queue, save=False)
        except Exception:
            _away_until[self.queue] = time.monotonic() + AWAY_SECONDS
            with suppress(Exception):
                cache.delete(self._key)
            # The rows are committed; the sweep sends it again when the broker is back.
            logger.warning("wakeup.not_sent", extra={"task": self.task}, exc_info=True)

    def mark_awake(self) -> None:
        """Mark a worker as polling, so that no wake-up needs to be sent for a while."""
        cache.set(self._key, "awake", AWAKE_SECONDS)

    def acknowledge(self) -> None:
        """Mark a run as started: what is sent from here on is for another run."""
        cache.delete(self._key)

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """Start a run; yield whether no other worker of the queue does exclusive work.

        For long work that is not urgent: the other workers stay free for what is urgent, however
        long it takes.
        """
        self.acknowledge()
        key, token = f"wakeup:exclusive:{self.queue}", uuid4().hex
        acquired = cache.add(key, token, EXCLUSIVE_SECONDS)
        try:
            with _renewed(key) if acquired else nullcontext():
                yield acquired
        finally:
            if cache.get(key) == token:
                cache.delete(key)

    def mark_idle(self) -> None:
        """Undo ``mark_awake``. The worker must poll the rows once more after this.

        A process that did not send had committed its row before, so that last poll finds it.
        """
        cache.delete(self._key)

    @property
    def _key(self) -> str:
        return f"wakeup:{self.task}"


@contextmanager
def _renewed(key: str) -> Iterator[None]:
    """Keep a key in the cache during the block, for as long as this process lives."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(EXCLUSIVE_SECONDS / 3):
            cache.touch(key, EXCLUSIVE_SECONDS)
        connections.close_all()

    renewing = threading.Thread(target=renew, name="renew", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
