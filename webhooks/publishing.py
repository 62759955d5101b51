"""The only door by which other apps have clients told of something."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from webhooks.endpoints.services import MAX_WEBHOOKS
from webhooks.endpoints.subscriptions import subscribers
from webhooks.models import Delivery, Event
from webhooks.wakeups import SEND

# So many deliveries an event becomes at most.
MAX_FAN_OUT = MAX_WEBHOOKS
# Rows in one INSERT; SQLite takes no more than 32,766 values at a time.
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened to an object of a client's.

    Args:
        client_pk: Primary key of the client.
        type: The event's type, such as ``normalization.completed``.
        subject_id: The object's id.
        data: The object as the API gives it.
        extra: Further members of the message, beside ``type``, ``timestamp`` and ``data``.
    """

    client_pk: int
    type: str
    subject_id: UUID
    data: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)


def publish(occurrences: Sequence[Occurrence], *, now: datetime) -> int:
    """Write an event and its deliveries for each occurrence that a webhook wants to hear of.

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
    timestamp = now.isoformat().replace("+00:00", "Z")
    by_client = {pk: subscribers(pk) for pk in {one.client_pk for one in occurrences}}
    for occurrence in occurrences:
        takers = [
            subscriber
            for subscriber in by_client[occurrence.client_pk]
            if subscriber.takes(occurrence.type)
        ]
        if not takers:
            continue
        event = Event(
            client_id=occurrence.client_pk,
            type=occurrence.type,
            subject_id=occurrence.subject_id,
            body=message_body(occurrence, timestamp),
            created_at=now,
        )
        events.append(event)
        deliveries += [
            Delivery(
                event=event,
                webhook_id=taker.webhook_id,
                status=Delivery.Status.PENDING if taker.enabled else Delivery.Status.HELD,
                held_by="" if taker.enabled else taker.disabled_by,
                next_attempt_at=now if taker.enabled else None,
                created_at=now,
            )
            for taker in takers
        ]
    if events:
        Event.objects.bulk_create(events, batch_size=_BATCH)
        Delivery.objects.bulk_create(deliveries, batch_size=_BATCH)
        SEND.send()
    return len(deliveries)


def fan_out(client_pk: int, event_type: str) -> int:
    """Return how many deliveries an event of a client's becomes, by the client's primary key."""
    return sum(subscriber.takes(event_type) for subscriber in subscribers(client_pk))


def message_body(occurrence: Occurrence, timestamp: str) -> bytes:
    """Return the bytes that every attempt to tell of ``occurrence`` sends."""
    message = {
        "type": occurrence.type,
        "timestamp": timestamp,
        **occurrence.extra,
        "data": occurrence.data,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
