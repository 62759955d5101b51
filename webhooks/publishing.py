"""The only entry point for other apps to notify clients of something."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pave.core.time_text import time_text
from webhooks.endpoints.services import MAX_WEBHOOKS
from webhooks.endpoints.subscriptions import subscribers
from webhooks.models import Delivery, Event
from webhooks.wakeups import SEND

# Deliveries of one event at most.
MAX_FAN_OUT = MAX_WEBHOOKS
# Rows in one INSERT; SQLite takes no more than 32,766 values at a time.
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened to a client's object.

    Args:
        client_pk: Primary key of the client.
        type: The event's type, such as ``normalization.completed``.
        subject_id: The object's id.
        data: The object as the API gives it.
        extra: Further members of the message, beside ``type``, ``timestamp`` and ``data``.
        most: To how many of the webhooks that want it, the oldest first; None: to all.
    """

    client_pk: int
    type: str
    subject_id: UUID
    data: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    most: int | None = None


def publish(occurrences: Sequence[Occurrence], *, now: datetime) -> int:
    """Write an event and its deliveries for each occurrence that a webhook subscribes to.

    Call it in the transaction of what happened, so that both are committed or neither. The number
    of statements does not depend on the number of occurrences, but for very many.

    Args:
        occurrences: What happened.
        now: When it happened.

    Returns:
        How many deliveries were written.
    """
    events: list[Event] = []
    deliveries: list[Delivery] = []
    by_client = subscribers({occurrence.client_pk for occurrence in occurrences})
    for occurrence in occurrences:
        subscribed = [
            subscriber
            for subscriber in by_client[occurrence.client_pk]
            if subscriber.wants(occurrence.type)
        ][: occurrence.most]
        if not subscribed:
            continue
        event = Event(
            client_id=occurrence.client_pk,
            type=occurrence.type,
            subject_id=occurrence.subject_id,
            body=message_body(occurrence, now),
            created_at=now,
        )
        events.append(event)
        deliveries += [
            Delivery(
                event=event,
                webhook_id=subscriber.webhook_id,
                status=Delivery.Status.PENDING if subscriber.enabled else Delivery.Status.HELD,
                held_by="" if subscriber.enabled else subscriber.disabled_by,
                next_attempt_at=now if subscriber.enabled else None,
                created_at=now,
            )
            for subscriber in subscribed
        ]
    if events:
        Event.objects.bulk_create(events, batch_size=_BATCH)
        Delivery.objects.bulk_create(deliveries, batch_size=_BATCH)
        SEND.send()
    return len(deliveries)


def fan_out(clients: Collection[int], *groups: Collection[str]) -> dict[int, tuple[int, ...]]:
    """Return how many deliveries an event becomes, by the clients' primary keys.

    Args:
        clients: Their primary keys.
        groups: Types of events; of each group that which becomes the most counts.
    """
    return {
        client: tuple(
            max(sum(each.wants(event_type) for each in of_client) for event_type in group)
            for group in groups
        )
        for client, of_client in subscribers(clients).items()
    }


def message_body(occurrence: Occurrence, now: datetime) -> bytes:
    """Return the body that every attempt to deliver ``occurrence``, of ``now``, sends."""
    message = {
        "type": occurrence.type,
        "timestamp": time_text(now),
        **occurrence.extra,
        "data": occurrence.data,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
