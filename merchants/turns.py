"""Whose turn it is: clients share admission and the heuristic's time, whatever each has queued.

Of those that wait, the one is next that has used least of the heuristic's time lately, divided by
its ``Client.share``. Time counts and not the number of runs, since one takes a fraction of a
millisecond and another half a minute, and nobody knows beforehand (as in Amazon SQS's fair queues
and in deficit round robin, Shreedhar and Varghese 1995). Use fades by half in ``HALF_LIFE``, so
that nobody waits long for having been busy yesterday, and nobody who has been away may hold the
others up for longer than about that.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, FloatField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Greatest, Power
from django.utils import timezone

from merchants.models import Batch, HeuristicUse, NormalizationRequest, Waiter
from pave.clients.models import Client
from webhooks.publishing import fan_out

Request = TypeVar("Request")

HALF_LIFE = 60.0  # seconds
# Deliveries that what is admitted of one client at a time may become: others wait for these rows.
MAX_DELIVERIES = 1000


# The client whose requests this process claimed last: the next claim begins behind it.
_last_admitted = 0


def count_busy() -> int:
    """Return how many clients have something waiting, for admission or for the heuristic."""
    waiting = _distinct_clients(Waiter._meta.db_table, "")
    return len({*waiting, *_clients_with_queued()})


def next_queued(
    limit: int, *, but: Collection[UUID] = (), but_of: Collection[int] = ()
) -> tuple[list[UUID], bool]:
    """Find queued requests, of each client that has some as many.

    Args:
        limit: So many at most.
        but: Those that others have claimed.
        but_of: Clients that wait, by their primary keys.

    Returns:
        Their ids, and whether a client may have more than its part.
    """
    global _last_admitted
    clients = [pk for pk in _clients_with_queued() if pk not in but_of]
    if not clients:
        return [], False
    clients = [pk for pk in clients if pk > _last_admitted] + [
        pk for pk in clients if pk <= _last_admitted
    ]
    clients = clients[:limit]
    _last_admitted = clients[-1]
    part = max(1, limit // len(clients))
    if connection.vendor == "postgresql":
        found = _queued_of_each(clients, part, but)
    else:
        found = [(client, pk) for client in clients for pk in _queued_of(client, part, but)]
    return [pk for _, pk in affordable(found)], len(found) >= part


def affordable(requests: Iterable[tuple[int, Request]]) -> Iterator[tuple[int, Request]]:
    """Yield of each client the first, as many as become ``MAX_DELIVERIES``, and one at least.

    Args:
        requests: Each with its client's primary key.
    """
    left: dict[int, int] = {}
    for client, request in requests:
        cost = fan_out(client)
        if left.setdefault(client, max(MAX_DELIVERIES, cost)) >= cost:
            left[client] -= cost
            yield client, request


def in_turn(*, waiting_for: UUID | None = None) -> list[int]:
    """Return the primary keys of the clients that have due waiters, in the order of their turns.

    Args:
        waiting_for: Only those that wait for this resolution.
    """
    now = timezone.now()
    if waiting_for is None:
        clients = _distinct_clients(Waiter._meta.db_table, "due_at <= %(now)s AND", now=now)
    else:
        waiters = Waiter.objects.due(now).filter(resolution=waiting_for)
        clients = list(waiters.values_list("client_id", flat=True))
    return by_use(clients)


def by_use(clients: list[int]) -> list[int]:
    """Return clients, by their primary keys, those first that have used least lately."""
    if len(clients) < 2:
        return clients
    now = time.time()
    rows = Client.objects.filter(pk__in=clients).values_list(
        "pk", "share", "heuristicuse__seconds", "heuristicuse__as_of"
    )
    used = {
        pk: faded(seconds or 0.0, now - (as_of or now)) / share
        for pk, share, seconds, as_of in rows
    }
    return sorted(used, key=lambda pk: (used[pk], pk))


def charge(client: int, seconds: float) -> None:
    """Count time of the heuristic's for a client, by its primary key; a negative one is a refund.

    What is claimed is charged in advance with the longest that a run may take, and what it did not
    take is refunded after: so turns spread over the workers, and one that kills its worker has
    used all of it.
    """
    now = time.time()
    # What is left after sixty half-lives is nothing. PostgreSQL refuses powers that are still less.
    age = Greatest((F("as_of") - now) / HALF_LIFE, Value(-60.0), output_field=FloatField())
    left = F("seconds") * Power(Value(2.0), age)
    changed = HeuristicUse.objects.filter(client=client).update(
        seconds=Greatest(left + seconds, Value(0.0), output_field=FloatField()), as_of=now
    )
    if not changed:
        use = HeuristicUse(client_id=client, seconds=max(seconds, 0.0), as_of=now)
        # One that has been erased since pays nothing.
        with suppress(IntegrityError), transaction.atomic():
            HeuristicUse.objects.bulk_create([use], ignore_conflicts=True)


def settle_up(client: int, seconds: float, in_advance: float) -> None:
    """Charge a client with the time that was worked for it since it was charged in advance."""
    charge(client, seconds - faded(in_advance, seconds))


def longest_waiting(limit: int) -> list[tuple[str, datetime]]:
    """Return the ids of the clients that have waited longest for the heuristic, since when."""
    oldest = Waiter.objects.filter(client=OuterRef("pk")).order_by("since").values("since")[:1]
    return list(
        Client.objects.filter(pk__in=_distinct_clients(Waiter._meta.db_table, ""))
        .annotate(waiting_since=Subquery(oldest))
        .exclude(waiting_since=None)
        .order_by("waiting_since")
        .values_list("client_id", "waiting_since")[:limit]
    )


def faded(seconds: float, age: float) -> float:
    """Return what is left of a use that was counted so many seconds ago."""
    return float(seconds * 2.0 ** (-age / HALF_LIFE))


def _queued_of(client: int, limit: int, but: Collection[UUID]) -> list[UUID]:
    queued = NormalizationRequest.objects.admissible().filter(client=client).exclude(pk__in=but)
    found = list(queued.single().values_list("pk", flat=True)[:limit])
    return found + list(queued.batched().values_list("pk", flat=True)[: limit - len(found)])


def _canceling() -> QuerySet[Batch, UUID]:
    """Return the batches whose rows are about to be taken back: nobody waits for them."""
    return Batch.objects.canceling().order_by().values_list("pk", flat=True)


def _queued_of_each(
    clients: Sequence[int], limit: int, but: Collection[UUID]
) -> list[tuple[int, UUID]]:
    """Return what `_queued_of` does, for all clients in one statement, with each its client."""
    table = connection.ops.quote_name(NormalizationRequest._meta.db_table)
    queued = f"""
        SELECT id FROM {table}
        WHERE status = 'queued' AND admission_attempts = 0 AND id <> ALL(%(but)s::uuid[])
        AND (batch_id IS NULL OR batch_id <> ALL(%(canceling)s::uuid[]))
    """  # noqa: S608 - a name of our own table
    statement = f"""
        SELECT client.pk, found.id
        FROM UNNEST(%(clients)s::bigint[]) AS client (pk) CROSS JOIN LATERAL (
            SELECT id FROM (
                {queued} AND client_id = client.pk AND batch_id IS NULL
                ORDER BY id LIMIT %(limit)s
            ) AS single
            UNION ALL
            SELECT id FROM (
                {queued} AND client_id = client.pk AND batch_id IS NOT NULL
                ORDER BY batch_id, id LIMIT %(limit)s
            ) AS batched
            LIMIT %(limit)s
        ) AS found
    """  # noqa: S608 - names of our own tables
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "clients": list(clients),
                "limit": limit,
                "but": list(but),
                "canceling": list(_canceling()),
            },
        )
        return cursor.fetchall()


def _clients_with_queued() -> list[int]:
    return _distinct_clients(NormalizationRequest._meta.db_table, "status = 'queued' AND")


def _distinct_clients(table: str, condition: str, **parameters: datetime) -> list[int]:
    """Return the clients that have rows, by one step along an index for each of them.

    ``SELECT DISTINCT`` would read every row of a backlog.
    """
    table = connection.ops.quote_name(table)
    statement = f"""
        WITH RECURSIVE clients AS (
            SELECT MIN(client_id) AS pk FROM {table} WHERE {condition} client_id > 0
            UNION ALL
            SELECT (SELECT MIN(client_id) FROM {table} WHERE {condition} client_id > clients.pk)
            FROM clients WHERE clients.pk IS NOT NULL
        )
        SELECT pk FROM clients WHERE pk IS NOT NULL
    """  # noqa: S608 - names of our own tables
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                name: connection.ops.adapt_datetimefield_value(moment)
                for name, moment in parameters.items()
            },
        )
        return [pk for (pk,) in cursor.fetchall()]
