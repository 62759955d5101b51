"""Which webhooks of a client subscribe to which events: read for every event, so cached."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from pave.core.cached_lookup import CachedLookup
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


def subscribers(client_pk: int) -> tuple[Subscriber, ...]:
    """Return a client's webhooks, from the cache if possible."""
    return _by_client.get(str(client_pk)) or ()


def invalidate(client_pk: int) -> None:
    """Drop a client's webhooks from the cache, so that its next event reads the database."""
    _by_client.invalidate(str(client_pk))


def _load(client_pk: str) -> tuple[Subscriber, ...]:
    return tuple(
        Subscriber(webhook_id=pk, events=tuple(events), enabled=enabled, disabled_by=disabled_by)
        for pk, events, enabled, disabled_by in Webhook.objects.existing()
        .filter(client_id=int(client_pk))
        .order_by("id")
        .values_list("pk", "events", "enabled", "disabled_by")
    )


def _dump(subscribers: tuple[Subscriber, ...]) -> list[dict[str, Any]]:
    return [{**asdict(each), "webhook_id": str(each.webhook_id)} for each in subscribers]


def _restore(rows: list[dict[str, Any]]) -> tuple[Subscriber, ...]:
    return tuple(
        Subscriber(**{**row, "webhook_id": UUID(row["webhook_id"]), "events": tuple(row["events"])})
        for row in rows
    )


_by_client: CachedLookup[tuple[Subscriber, ...]] = CachedLookup(
    "subscribers", _load, dump=_dump, restore=_restore
)
