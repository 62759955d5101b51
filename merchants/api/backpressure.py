"""Refuses requests when too many wait already, before the database is overloaded.

Each client has a limit of its own, so none is refused for what another has sent; above the limit
for all clients together, those are refused that have more than an even share. Each web process
counts the rows of a client, and of all clients, periodically.
"""

import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from django.conf import settings

from merchants.models import NormalizationRequest, Waiter
from merchants.requests import fair_share
from merchants.requests.resolutions.lookup import is_cached
from pave.api.exceptions import Overloaded
from pave.clients.models import Client

LOOK_EVERY = 2.0
RETRY_AFTER_SECONDS = 15
# Clients whose last count is kept.
MOST_CLIENTS = 10_000

Value = TypeVar("Value")


class Everybody(NamedTuple):
    """How much waits, of all clients together.

    Args:
        depth: How many rows, counted up to a limit.
        busy: How many clients they belong to; counted only when it is needed.
    """

    depth: int = 0
    busy: int = 1


class Seen(Generic[Value]):
    """A value that is read anew every ``LOOK_EVERY`` seconds.

    One thread reads it, however many ask; the others use the last value.
    """

    def __init__(self, first: Value) -> None:
        self._value = first
        self._at = -math.inf
        self._looking = threading.Lock()

    def value(self, look: Callable[[], Value]) -> Value:
        """Return the value; read it first if it is old and no other thread does."""
        if self._is_old() and self._looking.acquire(blocking=False):
            try:
                if self._is_old():
                    self._value = look()
                    self._at = time.monotonic()
            finally:
                self._looking.release()
        return self._value

    def _is_old(self) -> bool:
        return time.monotonic() - self._at >= LOOK_EVERY


# How much waits, by client and of all.
_of_clients: dict[int, Seen[int]] = {}
_of_all = Seen(Everybody())


def refuse_if_full(client: Client, fields: dict[str, Any] | None = None) -> None:
    """Refuse a transaction if too much waits already.

    Args:
        client: The client that sends it.
        fields: The transaction; one whose answer is cached is always accepted.

    Raises:
        Overloaded: More than PAVE_CLIENT_QUEUE_DEPTH of the client's requests wait for admission
            or for the heuristic; or more than PAVE_MAX_QUEUE_DEPTH of all clients, and it has more
            than an even share of them.
    """
    if _is_full(client) and not (fields and is_cached(client, fields)):
        raise Overloaded(RETRY_AFTER_SECONDS)


def _is_full(client: Client) -> bool:
    if len(_of_clients) >= MOST_CLIENTS and client.pk not in _of_clients:
        _of_clients.clear()
    seen = _of_clients.setdefault(client.pk, Seen(0))
    own = seen.value(partial(depth, settings.PAVE_CLIENT_QUEUE_DEPTH, client=client))
    if own > settings.PAVE_CLIENT_QUEUE_DEPTH:
        return True
    if not own:
        return False  # so no share of the limit for all can be exceeded
    everybody = _of_all.value(_look_at_all)
    ceiling = settings.PAVE_MAX_QUEUE_DEPTH
    return everybody.depth > ceiling and own > ceiling // max(1, everybody.busy)


def _look_at_all() -> Everybody:
    waiting = depth(settings.PAVE_MAX_QUEUE_DEPTH)
    if waiting <= settings.PAVE_MAX_QUEUE_DEPTH:
        return Everybody(waiting)
    return Everybody(waiting, fair_share.count_busy())


def depth(most: int, **of: Client) -> int:
    """Return how many rows wait in both queues, each counted up to ``most`` + 1.

    Args:
        most: The limit that matters.
        of: ``client=``, to count one client's rows.
    """
    # Along the index of queued requests: else a plan may read all requests.
    queued = NormalizationRequest.objects.queued().order_by("client_id", "batch_id", "id")
    queues = (queued, Waiter.objects.order_by())
    return sum(rows.filter(**of).values("pk")[: most + 1].count() for rows in queues)
