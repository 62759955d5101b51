"""Fair share: clients share admission and the heuristic's time, whatever each has queued.

Admission takes as many requests of each client, one client after the other (``next_queued``). For
the heuristic, the waiting client whose recent use of the heuristic's time, divided by its
``Client.share``, is smallest is next. Time counts, not the number of runs, since one run takes a
fraction of a millisecond and another half a minute, and nobody knows beforehand (as in Amazon SQS's
fair queues and in deficit round robin, Shreedhar and Varghese 1995). Use halves in each
``HALF_LIFE``: a client does not wait long for having been busy yesterday, and one that was idle
does not hold up the others for much longer than that.
"""

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F, FloatField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Greatest, Power
from django.utils import timezone

from merchants.models import Batch, HeuristicUse, NormalizationRequest, Waiter
from merchants.requests.events import BATCH_COMPLETED, OF_REQUESTS
from pave.clients.models import Client
from pave.core import clock
from pave.core.database.along_index import exists_along
from pave.core.database.locked_rows import update_unlocked
from webhooks.publishing import MAX_FAN_OUT, fan_out

logger = logging.getLogger(__name__)

Request = TypeVar("Request")

HALF_LIFE = 60.0  # seconds
# The most deliveries that the requests of one client, admitted at once, may cause: the transaction
# that writes them makes others wait.
MAX_DELIVERIES = 250


# The client whose requests this process claimed last: the next claim begins after it.
_last_admitted = 0
# What this process has still to charge clients with, since their rows were locked: seconds, and as
# of when.
_not_charged: dict[int, tuple[float, float]] = {}


def count_busy() -> int:
    """Return how many clients wait, for admission or for the heuristic."""
    waiting = _distinct_clients(Waiter._meta.db_table, "")
    return len({*waiting, *_clients_with_queued()})


def next_queued(
    limit: int, *, but: Collection[UUID] = (), but_of: Collection[int] = ()
) -> tuple[list[UUID], bool]:
    """Find queued requests, shared evenly among the clients that have some.

    Args:
        limit: How many at most.
        but: Requests to leave out, since they are claimed.
        but_of: Clients to leave out, by primary key.

    Returns:
        Their ids, and whether a client may have more than its share.
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
    queued = _queued_of_each(clients, part, but)
    taken = affordable(queued)
    most = max(Counter(client for client, _, _ in queued).values(), default=0)
    return taken, most >= part or len(taken) < len(queued)


def begin_next_with(client: int) -> None:
    """Let the next claim begin with a client that had no turn in this one.

    Args:
        client: By primary key.
    """
    global _last_admitted
    _last_admitted = client - 1


def affordable(requests: Sequence[tuple[int, UUID | None, Request]]) -> list[Request]:
    """Return the first of each client that cause at most ``MAX_DELIVERIES``, and at least one.

    Args:
        requests: Each with its client and its batch, by primary key.
    """
    counts = Counter(client for client, _, _ in requests)
    # Fewer cannot reach the limit, whatever number of webhooks the client has.
    many = [client for client, count in counts.items() if 2 * count * MAX_FAN_OUT > MAX_DELIVERIES]
    # Of a request's event, and of its batch's: any row may complete it.
    costs = fan_out(many, OF_REQUESTS, [BATCH_COMPLETED])
    nothing = (0, 0)
    of_batches = {batch for client, batch, _ in requests if batch and costs.get(client, nothing)[0]}
    each: set[UUID | None] = {None}
    if of_batches:
        loud = Batch.objects.filter(pk__in=of_batches, deliver=Batch.Deliver.EACH)
        each.update(loud.values_list("pk", flat=True))
    left = dict.fromkeys(many, MAX_DELIVERIES)
    begun: set[UUID | None] = {None}
    taken = []
    for client, batch, request in requests:
        of_request, of_batch = costs.get(client, nothing)
        cost = of_request if batch in each else 0
        cost += 0 if batch in begun else of_batch
        if cost and cost > left[client] and left[client] != MAX_DELIVERIES:
            continue
        if cost:
            left[client] -= cost
        begun.add(batch)
        taken.append(request)
    return taken


def clients_due(*, waiting_for: UUID | None = None) -> list[int]:
    """Return the primary keys of the clients that have due waiters, in fair-share order.

    Args:
        waiting_for: Only clients that wait for this resolution.
    """
    now = timezone.now()
    if waiting_for is None:
        clients = _distinct_clients(Waiter._meta.db_table, "due_at <= %(now)s AND", now=now)
    else:
        waiters = Waiter.objects.due(now).filter(resolution=waiting_for)
        clients = list(waiters.values_list("client_id", flat=True))
    return by_use(clients)


def by_use(clients: list[int]) -> list[int]:
    """Return clients, by primary key, in the order of recent use, least first."""
    if len(clients) < 2:
        return clients
    now = clock.timestamp()
    rows = Client.objects.filter(pk__in=clients).values_list(
        "pk", "share", "heuristicuse__seconds", "heuristicuse__as_of"
    )
    used = {
        pk: (faded(seconds or 0.0, now - (as_of or now)) + _outstanding(pk, now)) / share
        for pk, share, seconds, as_of in rows
    }
    return sorted(used, key=lambda pk: (used[pk], pk))


def charge(client: int, seconds: float) -> None:
    """Charge a client, by primary key, with time of the heuristic; a negative time is a refund.

    A claim is charged in advance with the longest that a run may take, and the rest is refunded
    afterwards: so several workers serve different clients, and a run that kills its worker has cost
    all of it. If the client's use is locked, it is charged next time.
    """
    now = clock.timestamp()
    seconds += _outstanding(client, now)
    use = HeuristicUse.objects.filter(client=client)
    with transaction.atomic(savepoint=False):
        # One statement, but for the first time and while somebody else has it locked.
        charged = _charge(use.filter(pk__in=use.select_for_update(skip_locked=True)), seconds)
    locked: list[object] = []
    if not charged:
        with suppress(IntegrityError):  # the client has been erased since
            locked += update_unlocked({("use", client): lambda: _charge_or_add(client, seconds)})
    if locked:
        logger.warning("heuristic.not_charged", extra={"client": client})
        _not_charged[client] = seconds, now
    else:
        _not_charged.pop(client, None)


def _charge_or_add(client: int, seconds: float) -> None:
    use = HeuristicUse.objects.filter(client=client)
    if not _charge(use, seconds):
        # Another worker may add it at the same moment.
        none = HeuristicUse(client_id=client, as_of=clock.timestamp())
        HeuristicUse.objects.bulk_create([none], ignore_conflicts=True)
        _charge(use, seconds)


def _charge(use: QuerySet[HeuristicUse], seconds: float) -> int:
    now = clock.timestamp()
    # After sixty half-lives nothing is left, and PostgreSQL refuses smaller powers.
    age = Greatest((F("as_of") - now) / HALF_LIFE, Value(-60.0), output_field=FloatField())
    left = F("seconds") * Power(Value(2.0), age)
    return use.update(
        seconds=Greatest(left + seconds, Value(0.0), output_field=FloatField()), as_of=now
    )


def _outstanding(client: int, now: float) -> float:
    seconds, as_of = _not_charged.get(client, (0.0, now))
    return faded(seconds, now - as_of)


def charge_actual(client: int, seconds: float, in_advance: float) -> None:
    """Replace what a client was charged in advance by the time actually used."""
    charge(client, seconds - faded(in_advance, seconds))


def longest_waiting(limit: int) -> list[tuple[str, datetime]]:
    """Return the clients that have waited longest for the heuristic: id and since when."""
    oldest = Waiter.objects.filter(client=OuterRef("pk")).order_by("since").values("since")[:1]
    return list(
        Client.objects.filter(pk__in=_distinct_clients(Waiter._meta.db_table, ""))
        .annotate(waiting_since=Subquery(oldest))
        .exclude(waiting_since=None)
        .order_by("waiting_since")
        .values_list("client_id", "waiting_since")[:limit]
    )


def faded(seconds: float, age: float) -> float:
    """Return the share of a use that is left after so many seconds."""
    return float(seconds * 2.0 ** (-age / HALF_LIFE))


def is_any_admissible() -> bool:
    """Return whether any request waits to be admitted with others."""
    if not is_any_queued():
        return False
    return not _canceling().exists() or bool(_queued_of_each(_clients_with_queued(), 1, ()))


def is_any_queued() -> bool:
    """Return whether any request waits, also if only rows of batches that are being canceled."""
    queued = NormalizationRequest.objects.queued().filter(admission_attempts=0)
    return exists_along(queued, "client_id", "batch_id", "id")


def _queued_of(
    client: int, limit: int, but: Collection[UUID]
) -> list[tuple[int, UUID | None, UUID]]:
    queued = NormalizationRequest.objects.queued().filter(client=client, admission_attempts=0)
    queued = queued.exclude(pk__in=but).exclude(batch__in=_canceling())
    fields = ("client", "batch", "pk")
    single = list(queued.single().values_list(*fields)[:limit])
    return single + list(queued.batched().values_list(*fields)[: limit - len(single)])


def _canceling() -> QuerySet[Batch, UUID]:
    """Return the batches that are being canceled, whose rows need no admission."""
    return Batch.objects.canceling().order_by().values_list("pk", flat=True)


def _queued_of_each(
    clients: Sequence[int], limit: int, but: Collection[UUID]
) -> list[tuple[int, UUID | None, UUID]]:
    """Return the first queued requests of each client, rows of batches after the others.

    Returns:
        Client, batch and id of each.
    """
    if connection.vendor != "postgresql":
        return [row for client in clients for row in _queued_of(client, limit, but)]
    table = connection.ops.quote_name(NormalizationRequest._meta.db_table)
    queued_rows = f"""
        FROM {table} WHERE status = 'queued' AND admission_attempts = 0
        AND client_id = client.pk
    """
    queued_batch = f"SELECT batch_id {queued_rows}"
    queued = f"SELECT batch_id, id {queued_rows} AND id <> ALL(%(but)s::uuid[])"
    # Also by the column that is equal for all rows: else another index has this order too, and a
    # plan made while much was queued would read all requests that the client ever sent.
    along_index = "ORDER BY batch_id, id"
    batched = f"{queued} AND batch_id IS NOT NULL {along_index} LIMIT %(limit)s"
    if _canceling().exists():
        # From batch to batch along the index, since batches that are being canceled may have very
        # many rows, and very many batches have none queued.
        batches = connection.ops.quote_name(Batch._meta.db_table)
        next_batch = f"{along_index} LIMIT 1"
        batched = f"""
            WITH RECURSIVE batch AS (
                SELECT ({queued_batch} AND batch_id IS NOT NULL {next_batch}) AS id
                UNION ALL
                SELECT ({queued_batch} AND batch_id > batch.id {next_batch})
                FROM batch WHERE batch.id IS NOT NULL
            )
            SELECT of_batch.batch_id, of_batch.id FROM batch CROSS JOIN LATERAL (
                {queued} AND batch_id BETWEEN batch.id AND batch.id {along_index}
                LIMIT %(limit)s
            ) AS of_batch
            WHERE batch.id IS NOT NULL
            AND (SELECT cancel_requested_at FROM {batches} WHERE id = batch.id) IS NULL
            LIMIT %(limit)s
        """  # noqa: S608 - names of our own tables
    statement = f"""
        SELECT client.pk, found.batch_id, found.id
        FROM UNNEST(%(clients)s::bigint[]) AS client (pk) CROSS JOIN LATERAL (
            SELECT batch_id, id FROM (
                {queued} AND batch_id IS NULL {along_index} LIMIT %(limit)s
            ) AS single
            UNION ALL
            SELECT batch_id, id FROM ({batched}) AS batched
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
