"""Refusing what cannot be worked on soon, before the database drowns in it.

Each client has a depth of its own, so that none is refused for what another has sent; above the
depth of all together those are refused who have more than an even part of it. A look costs a few
short queries, and each web process looks at a client once in a while and goes by what it saw.
"""

import math
import threading
import time
from typing import Any

from django.conf import settings

from merchants import questions, turns
from merchants.models import NormalizationRequest, Waiter
from pave.api.exceptions import Overloaded
from pave.clients.models import Client

LOOK_EVERY = 2.0
RETRY_AFTER_SECONDS = 15
# Clients whose last look is kept.
MOST_CLIENTS = 10_000

_lock = threading.Lock()
# When a client was looked at, and whether it had as much waiting as it may; by primary key.
_looks: dict[int, tuple[float, bool]] = {}
# When all clients together were looked at, and what part each of them may have.
_part: tuple[float, float] = (-LOOK_EVERY, math.inf)


def refuse_if_full(client: Client, fields: dict[str, Any] | None = None) -> None:
    """Do nothing, or say that too much of the client's work waits already.

    Args:
        client: Who asks.
        fields: Its transaction; one whose answer is there already is always taken.

    Raises:
        Overloaded: More than PAVE_CLIENT_QUEUE_DEPTH of the client's requests wait for admission
            or for the heuristic; or more than PAVE_MAX_QUEUE_DEPTH of all clients', and it has
            more than an even part of them.
    """
    if _is_full(client) and not (fields and questions.is_cached(client, fields)):
        raise Overloaded(RETRY_AFTER_SECONDS)


def _is_full(client: Client) -> bool:
    looked_at, full = _looks.get(client.pk, (-LOOK_EVERY, False))
    now = time.monotonic()
    if now - looked_at < LOOK_EVERY:
        return full
    # The others go by what was seen before while one thread looks.
    if not _lock.acquire(blocking=False):
        return full
    try:
        full = look(client)
        if len(_looks) >= MOST_CLIENTS:
            _looks.clear()
        _looks[client.pk] = (now, full)
    finally:
        _lock.release()
    return full


def look(client: Client) -> bool:
    """Return whether as much of the client's work waits as may; reads no more rows than that."""
    own = _depth(settings.PAVE_CLIENT_QUEUE_DEPTH, client=client)
    return own > settings.PAVE_CLIENT_QUEUE_DEPTH or own > _even_part()


def _even_part() -> float:
    """Return how much each client may have waiting while all have more than the ceiling.

    It is the same for all clients, and looked at once for all of them.
    """
    global _part
    looked_at, part = _part
    now = time.monotonic()
    if now - looked_at >= LOOK_EVERY:
        ceiling = settings.PAVE_MAX_QUEUE_DEPTH
        full = _depth(ceiling) > ceiling
        part = ceiling // max(1, turns.count_busy()) if full else math.inf
        _part = (now, part)
    return part


def _depth(most: int, **of: Client) -> int:
    """Return how many rows wait in both queues, each counted up to one more than ``most``."""
    queues = (NormalizationRequest.objects.queued(), Waiter.objects.all())
    return sum(rows.filter(**of).order_by().values("pk")[: most + 1].count() for rows in queues)
