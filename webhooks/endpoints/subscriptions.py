"""Which webhooks of a client subscribe to which events."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from webhooks.models import Webhook


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What publishing needs to know of a webhook. It holds no secret."""

    webhook_id: UUID
    events: tuple[str, ...]
    enabled: bool
    disabled_by: str

    def wants(self, event_type: str) -> bool:
        """Return whether the webhook wants events of this type."""
        group = event_type.partition(".")[0] + ".*"
        return not self.events or event_type in self.events or group in self.events


def subscribers(clients: Collection[int]) -> dict[int, list[Subscriber]]:
    """Return the webhooks of clients, by the clients' primary keys.

    Read each time, by one query for all: a webhook that a cache had not heard of would never get
    the message.
    """
    found: dict[int, list[Subscriber]] = {client: [] for client in clients}
    if not found:
        return found
    for client, pk, events, enabled, disabled_by in (
        Webhook.objects.existing()
        .filter(client__in=found)
        .order_by("id")
        .values_list("client_id", "pk", "events", "enabled", "disabled_by")
    ):
        found[client].append(Subscriber(pk, tuple(events), enabled, disabled_by))
    return found
