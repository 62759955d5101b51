"""The two queries of a claim that the ORM cannot express.

Which webhooks have deliveries of a kind? A recursive query steps from webhook to webhook in a
partial index ("loose index scan"): its cost grows with the number of such webhooks, and not with
their backlogs, nor with the webhooks that have nothing, nor with the finished rows.

Which deliveries come next for each of some webhooks? On PostgreSQL one lateral join, on SQLite,
where a query costs no round trip, one query for each.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import UUIDField
from django.db.models.expressions import RawSQL

from webhooks.models import Delivery

# The predicates of the partial indexes, verbatim: otherwise PostgreSQL does not use these.
PENDING = "status = 'pending'"
ON_DEMAND = "status = 'pending' AND \"trigger\" IN ('manual', 'recover')"
# Sent even to a paused endpoint.
MANUAL = f"{ON_DEMAND} AND \"trigger\" = 'manual'"
# The second condition is the predicate of the index.
HELD = "status = 'held' AND status IN ('held', 'failed')"

_TABLE = Delivery._meta.db_table


def webhooks_having(kind: str, *, order: str = "webhook_id, next_attempt_at, id") -> RawSQL:
    """Return an expression for the ids of the webhooks that have deliveries of a kind.

    Args:
        kind: one of this module's predicates.
        order: the columns of that kind's index.
    """
    probe = f"SELECT webhook_id FROM {_TABLE} WHERE {kind}"  # noqa: S608 - constants only
    return RawSQL(  # noqa: S611 - no parameter comes from outside
        f"WITH RECURSIVE found(webhook_id) AS ("  # noqa: S608 - constants only
        f"SELECT ({probe} ORDER BY {order} LIMIT 1) "
        f"UNION ALL "
        f"SELECT ({probe} AND {_TABLE}.webhook_id > found.webhook_id ORDER BY {order} LIMIT 1) "
        f"FROM found WHERE found.webhook_id IS NOT NULL"
        f") SELECT webhook_id FROM found WHERE webhook_id IS NOT NULL",
        (),
        output_field=UUIDField(),
    )


def next_due_per_webhook(limits: Mapping[UUID, int], kind: str, now: datetime) -> list[UUID]:
    """Lock deliveries that are due, and return their ids: for each webhook its oldest ones.

    Those that somebody else has locked are left out: all clients would wait for them.

    Args:
        limits: how many at most, by webhook.
        kind: one of this module's predicates.
        now: the present.
    """
    if not limits:
        return []
    if connection.vendor == "postgresql":
        return _next_due_lateral(limits, kind, now)
    return list(
        chain.from_iterable(_next_due_of(pk, count, kind, now) for pk, count in limits.items())
    )


def _next_due_lateral(limits: Mapping[UUID, int], kind: str, now: datetime) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(lateral_query(kind), [list(limits), list(limits.values()), now])
        return [row[0] for row in cursor.fetchall()]


def lateral_query(kind: str) -> str:
    """Return PostgreSQL's query; its parameters are the webhooks, the counts, the present."""
    return (
        f"SELECT found.id "  # noqa: S608 - constants only
        f"FROM unnest(%s::uuid[], %s::int[]) AS wanted(webhook_id, count) "
        f"CROSS JOIN LATERAL (SELECT id FROM {_TABLE} WHERE {kind} "
        f"AND {_TABLE}.webhook_id = wanted.webhook_id AND next_attempt_at <= %s "
        f"ORDER BY next_attempt_at, id LIMIT wanted.count FOR NO KEY UPDATE SKIP LOCKED) AS found"
    )


def _next_due_of(webhook_id: UUID, count: int, kind: str, now: datetime) -> list[Any]:
    deliveries = Delivery.objects.due(now) if kind == PENDING else Delivery.objects.on_demand()
    if kind == MANUAL:
        deliveries = deliveries.filter(trigger=Delivery.Trigger.MANUAL)
    return list(
        deliveries.filter(webhook=webhook_id, next_attempt_at__lte=now)
        .order_by("next_attempt_at", "id")
        .values_list("pk", flat=True)[:count]
    )
