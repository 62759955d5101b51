"""Erasing a client with everything that it sent and that was derived from it.

Only counts (tallies) of all clients together, and answers that all clients share stay: these hold
nothing that was read from a transaction.
"""

import logging
import time
from collections.abc import Collection, Iterator
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from merchants.catalogue import draft, feedback
from merchants.models import (
    Batch,
    Feedback,
    Merchant,
    NormalizationRequest,
    Resolution,
    Revision,
    Rule,
    Waiter,
)
from merchants.requests import cancellation, usage
from merchants.requests.resolutions.keys import ALL_CLIENTS
from pave.api.models import IdempotencyKey
from pave.clients import api_keys, rate_limit
from pave.clients.models import ApiKey, Client
from pave.core import clock
from pave.core.caching.cached_lookup import PROCESS_SECONDS
from pave.core.database import advisory_locks
from pave.core.database.along_index import just
from pave.operations.models import Tally
from pave.operations.retention import Expiry
from pave.staff import audit
from pave.staff.models import AuditEntry
from webhooks.models import Delivery, Event, Webhook

logger = logging.getLogger(__name__)

BATCH = 500
# Tables with texts of clients, which may have very many rows.
_MADE_OF_TEXTS = (NormalizationRequest, Feedback, Batch, Event, Delivery)
# How often to look, in seconds, whether deliveries and runs in flight have ended: their results
# need their rows.
LOOK_EVERY = 0.5


def count(*, client: Client) -> dict[str, int]:
    """Return how many rows of each kind would be erased."""
    return {
        "requests": NormalizationRequest.objects.filter(client=client).count(),
        "answers": Resolution.objects.filter(client=client).count(),
        "new merchants": feedback.merchants_only_from(client=client).count(),
        "batches": Batch.objects.filter(client=client).count(),
        "events": Event.objects.filter(client=client).count(),
        "webhooks": Webhook.objects.filter(client=client).count(),
        "API keys": ApiKey.objects.filter(client=client).count(),
        "idempotency keys": IdempotencyKey.objects.filter(client=client).count(),
    }


def erase(*, client: Client) -> Iterator[tuple[str, int]]:
    """Erase ``client``; yield the kind and number of rows that each step erased.

    From its first step on none of the client's keys is accepted. It may be repeated, and must be
    if it was interrupted.
    """
    with transaction.atomic():
        Client.objects.filter(pk=client.pk).update(active=False, erasing=True)
        api_keys.drop_cached_keys(client=client)
        # Nothing more is sent to a deleted one, also not what was requested for a disabled one.
        Webhook.objects.existing().filter(client=client).update(
            enabled=False, disabled_by=Webhook.DisabledBy.STAFF, deleted_at=timezone.now()
        )
    time.sleep(PROCESS_SECONDS)  # until no process uses what it has read of them
    with transaction.atomic():
        # Waits for a batch that is being accepted; from here on none is.
        advisory_locks.take_for(advisory_locks.Lock.TAKING_BATCHES, client.pk)
    _forget_history(client)
    yield from _erase_rows(client)
    while not _erase_if_nothing_is_left(client):
        time.sleep(LOOK_EVERY)
        yield from _erase_rows(client)
    logger.info("client.erased", extra={"client": client.client_id})


def _erase_if_nothing_is_left(client: Client) -> bool:
    """Erase the client itself, unless it has got something since; return whether it is erased."""
    with transaction.atomic():
        # Who posts, or changes the client, waits for the lock, and finds no client then.
        of_client = Client.objects.select_for_update().filter(pk=client.pk)
        of_client.first()
        made = (NormalizationRequest, Webhook, ApiKey)
        if any(model._default_manager.filter(client=client).exists() for model in made):
            return False
        # One that has locked some, such as the count of its quota, waits for the client's row.
        if not all(_lock_all(relation, client) for relation in Client._meta.related_objects):
            return False
        _forget_history_of_what_is_gone()
        _forget_history(client)
        # With its other rows: limits, usage.
        of_client.delete()
        _forget_statistics()  # in the transaction: if interrupted, it is done by the repeat
        return True


def _lock_all(relation: models.ForeignObjectRel, client: Client) -> bool:
    """Lock the rows that refer to a client; return whether nobody else has locked any."""
    rows = relation.related_model._base_manager.filter(**{relation.field.name: client})
    locked = rows.select_for_update(skip_locked=True).values_list("pk", flat=True)
    return len(locked) == rows.count()


def _erase_rows(client: Client) -> Iterator[tuple[str, int]]:
    """Erase all that refers to the client, or was derived from what it sent."""
    yield from _erase_proposals(client)
    yield from _erase_requests(client)
    yield from _erase_batchwise("answers", Resolution, client)
    # Shared free text (PAVE_SHARE_UNKNOWN) that no remaining client has sent.
    of_shared_texts = Resolution.objects.filter(key__startswith=ALL_CLIENTS)
    for _, erased in Expiry("answers", of_shared_texts, _unasked).walk():
        yield "answers", erased
    yield from _erase_batchwise("batches", Batch, client)
    webhooks = Webhook.objects.filter(client=client)
    Tally.objects.filter(subject__in=[str(webhook.pk) for webhook in webhooks]).delete()
    yield "webhooks", _erase(webhooks)
    keys = ApiKey.objects.filter(client=client)
    prefixes = list(keys.values_list("prefix", flat=True))
    yield "API keys", _erase(keys)
    for prefix in prefixes:  # who called meanwhile had its key, and the client, cached again
        api_keys.drop_cached(prefix=prefix)
    yield from _erase_batchwise("idempotency keys", IdempotencyKey, client)
    _forget_elsewhere(client)


def _forget_elsewhere(client: Client) -> None:
    """Drop counts of the client beside its rows, and ids in what is not its own."""
    usage.forget(client, now=timezone.now())
    rate_limit.forget(client=client)
    draft.forget_preview()
    # Of those that earlier releases have ended.
    ended = Revision.objects.exclude(status=Revision.Status.RUNNING)
    ended.update(**Revision.NO_PROGRESS)


def _erase_requests(client: Client) -> Iterator[tuple[str, int]]:
    """Cancel and erase the client's requests, with their events."""
    requests = NormalizationRequest.objects.filter(client=client)
    cancellation.cancel_all(requests)
    while _is_in_flight(client):
        time.sleep(LOOK_EVERY)
    yield from _erase_batchwise("events", Event, client)
    yield from _erase_batchwise("requests", NormalizationRequest, client)
    # A worker may have published an event of a request in the meantime.
    yield from _erase_batchwise("events", Event, client)


def _is_in_flight(client: Client) -> bool:
    """Return whether a delivery to the client, or a run for it alone, is in flight.

    One whose lease has ended counts no more, for a restored database has some and no cluster runs.
    """
    ended_by = clock.leases_ended_by(clock.LONGEST_LEASE)
    return (
        Delivery.objects.in_flight()
        .filter(webhook__client=client, lease_expires_at__gt=ended_by)
        .exists()
        or Resolution.objects.filter(
            client=client, status=Resolution.Status.RUNNING, lease_expires_at__gt=ended_by
        ).exists()
    )


def _unasked(resolutions: models.QuerySet[Any]) -> models.QuerySet[Any]:
    return resolutions.filter(
        ~Exists(NormalizationRequest.objects.filter(resolution=OuterRef("pk"))),
        ~Exists(Waiter.objects.filter(resolution=OuterRef("pk"))),
    )


def _erase_proposals(client: Client) -> Iterator[tuple[str, int]]:
    """Erase the merchants that its feedback has created and that no client has seen."""
    with transaction.atomic():
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        pks = list(feedback.merchants_only_from(client=client).values_list("pk", flat=True))
        Rule.objects.filter(merchant__in=pks).delete()
        _erase(Merchant.objects.filter(pk__in=pks))
        _blank(Merchant, [str(pk) for pk in pks])
    if pks:
        yield "new merchants", len(pks)


def _forget_history(client: Client) -> None:
    """Take the client out of the admin's history and the audit trail."""
    audit.erase_client(client.client_id)
    for model, rows in (
        (Client, Client.objects.filter(pk=client.pk)),
        (ApiKey, ApiKey.objects.filter(client=client)),
        (Webhook, Webhook.objects.filter(client=client)),
        (NormalizationRequest, NormalizationRequest.objects.filter(client=client)),
        (Feedback, Feedback.objects.filter(request__client=client)),
        (Batch, Batch.objects.filter(client=client)),
        (Event, Event.objects.filter(client=client)),
        (Delivery, Delivery.objects.filter(webhook__client=client)),
    ):
        entries = AuditEntry.objects.filter(model=model._meta.label_lower)
        if model in _MADE_OF_TEXTS:
            # Of very many rows, only those with an entry in the history.
            rows = rows.filter(
                pk__in=list(entries.exclude(object_id="").values_list("object_id", flat=True))
            )
        _blank(
            model, [str(key) for row in rows for key in {row.pk, getattr(row, "audit_id", row.pk)}]
        )


def _forget_history_of_what_is_gone() -> None:
    """Blank the history of rows that no longer exist: it is unknown whose they were.

    The client's requests may have expired before, and staff may have changed one while it was being
    erased.
    """
    # Merchants that were proposed, and merged since; rules for them; webhooks that were deleted.
    for model in (*_MADE_OF_TEXTS, Merchant, Rule, Webhook, ApiKey):
        entries = AuditEntry.objects.filter(model=model._meta.label_lower).exclude(object_id="")
        ids = set(entries.values_list("object_id", flat=True))
        field = "prefix" if model is ApiKey else "pk"  # as in the trail (ApiKey.audit_id)
        rows = model._default_manager.filter(**{f"{field}__in": ids})
        _blank(model, ids - {str(one) for one in rows.values_list(field, flat=True)})


def _forget_statistics() -> None:
    """Recompute PostgreSQL's statistics, which contain some values, from the remaining rows."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


def _blank(model: type[models.Model], ids: Collection[str]) -> None:
    """Reduce the history of a model's rows to who did what, and when."""
    content_type = ContentType.objects.get_for_model(model)
    LogEntry.objects.filter(content_type=content_type, object_id__in=ids).delete()
    audit.blank(AuditEntry.objects.filter(model=model._meta.label_lower, object_id__in=ids))


def _erase_batchwise(
    name: str, model: type[models.Model], client: Client
) -> Iterator[tuple[str, int]]:
    rows = model._default_manager.filter(**just("client", client.pk)).order_by("client_id")
    while True:
        pks = list(rows.values_list("pk", flat=True)[:BATCH])
        if not pks:
            return
        _erase(model._default_manager.filter(pk__in=pks))
        yield name, len(pks)


def _erase(rows: models.QuerySet[Any]) -> int:
    count = rows.count()
    rows.delete()
    return count
