"""Which webhooks have due deliveries, and how a dispatcher's capacity is shared among them."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from pave.core.database.along_index import exists_along
from webhooks.models import Delivery, Webhook, claim_queries

# The most webhooks and deliveries of one claim.
MAX_WEBHOOKS = 128
MAX_CLAIM = 256


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many messages a dispatcher can take.

    Args:
        all: in all.
        unproven: of these, to webhooks that are not steady: new and suspect ones together.
        suspect: of these, to suspect ones: slow or unresponsive.
    """

    all: int
    unproven: int
    suspect: int

    def minus(self, steady: bool | None) -> "Capacity":
        """Return what is left when one message goes to a webhook that is or is not steady."""
        return Capacity(
            self.all - 1,
            self.unproven - (not steady),
            self.suspect - (steady is False),
        )

    def allows(self, steady: bool | None) -> bool:
        """Return whether there is capacity for a message to a webhook that is or is not steady."""
        if self.all < 1 or (not steady and self.unproven < 1):
            return False
        return steady is not False or self.suspect > 0


@dataclass(frozen=True, slots=True)
class Candidate:
    webhook_id: UUID
    client_id: int
    limit: int
    steady: bool | None


def webhooks_with_due(now: datetime) -> list[Webhook]:
    """Return the webhooks that have something to send now, longest waiting first.

    To a paused endpoint only manual retries are sent; to a disabled one only deliveries on
    demand.
    """
    fields = ("id", "client", "enabled", "max_in_flight", *Webhook.HEALTH_FIELDS)
    active = (
        Webhook.objects.active(now)
        .filter(pk__in=claim_queries.webhooks_having(claim_queries.PENDING))
        .annotate(due_at=_first_due(Delivery.objects.waiting()))
        .filter(due_at__lte=now)
        .only(*fields)
        .order_by("due_at")
    )
    if not exists_along(
        Delivery.objects.on_demand().filter(next_attempt_at__lte=now), "webhook_id"
    ):
        return list(active)
    on_demand = (
        Webhook.objects.existing()
        .filter(Q(enabled=False) | Q(paused_until__gt=now))
        .filter(pk__in=claim_queries.webhooks_having(claim_queries.ON_DEMAND))
        .annotate(
            due_at=_first_due(Delivery.objects.on_demand()),
            by_hand_at=_first_due(
                Delivery.objects.on_demand().filter(trigger=Delivery.Trigger.MANUAL)
            ),
        )
        .filter(
            Q(by_hand_at__lte=now)
            | (Q(due_at__lte=now) & (Q(paused_until=None) | Q(paused_until__lte=now)))
        )
        .only(*fields)
    )
    return [*on_demand, *active]


def has_due_work(now: datetime) -> bool:
    """Return whether a dispatcher would find anything to send."""
    if not exists_along(Delivery.objects.due(now), "next_attempt_at"):
        return False
    in_flight = in_flight_by_webhook()
    return any(
        webhook.remaining_capacity(in_flight.get(webhook.pk, 0))
        for webhook in webhooks_with_due(now)
    )


def in_flight_by_webhook(webhooks: Iterable[UUID] | None = None) -> dict[UUID, int]:
    """Return how many messages are in flight, of all dispatchers, by webhook."""
    in_flight = Delivery.objects.in_flight()
    if webhooks is not None:
        in_flight = in_flight.filter(webhook__in=list(webhooks))
    return dict(in_flight.order_by().values_list("webhook").annotate(Count("pk")))


def distribute(
    candidates: Iterable[Candidate],
    capacity: Capacity,
    capacity_of: Callable[[int], Capacity] | None = None,
) -> dict[UUID, int]:
    """Return how many messages each webhook may send now, in the order of the candidates.

    Round robin over clients, and over each client's webhooks, so that a client with a hundred
    webhooks sends no more than one that has one.

    Args:
        candidates: The webhooks with due deliveries.
        capacity: How many messages in all.
        capacity_of: Of these, how many of one client, by its primary key; None: all.
    """
    capacity = replace(capacity, all=min(capacity.all, MAX_CLAIM))
    queues: dict[int, deque[Candidate]] = {}
    for candidate in candidates:
        queues.setdefault(candidate.client_id, deque()).append(candidate)
    of_client = {
        client_id: capacity_of(client_id) if capacity_of else capacity for client_id in queues
    }
    share: dict[UUID, int] = {}
    while queues and capacity.all > 0:
        for client_id, queue in list(queues.items()):
            if (chosen := _next(queue, share, (capacity, of_client[client_id]))) is None:
                del queues[client_id]
                continue
            share[chosen.webhook_id] = share.get(chosen.webhook_id, 0) + 1
            capacity = capacity.minus(chosen.steady)
            of_client[client_id] = of_client[client_id].minus(chosen.steady)
            queue.append(chosen)
    return share


def _next(
    queue: deque[Candidate], share: dict[UUID, int], capacities: Iterable[Capacity]
) -> Candidate | None:
    """Return the client's next webhook that may send one more message."""
    while queue:
        candidate = queue.popleft()
        granted = share.get(candidate.webhook_id, 0)
        allowed = all(capacity.allows(candidate.steady) for capacity in capacities)
        if granted < candidate.limit and allowed and (granted or len(share) < MAX_WEBHOOKS):
            return candidate
    return None


def _first_due(deliveries: QuerySet[Delivery]) -> Subquery:
    return Subquery(
        deliveries.filter(webhook=OuterRef("pk"))
        .order_by("next_attempt_at", "id")
        .values("next_attempt_at")[:1]
    )
