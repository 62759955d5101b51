"""API keys: issue, authenticate, rotate, revoke."""

import logging
import time
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from pave.clients.models import ApiKey, Client
from pave.core.caching.cached_lookup import CachedLookup, row_as_json, row_from_json
from pave.core.card_numbers.masking import masked

logger = logging.getLogger(__name__)

LAST_USED_EVERY = timedelta(minutes=1)
# When this process last recorded a key's use, by the key's id.
_last_recorded: dict[str, float] = {}


class Erasing(Exception):
    """The client is being erased, or has been; the message is a sentence."""

    def __init__(self) -> None:
        super().__init__("This client is being erased.")


def issue(*, client: Client, name: str = "default") -> tuple[ApiKey, str]:
    """Create a key for ``client``; return its row and the key itself, which is not stored.

    Raises:
        Erasing: The client gets no more keys.
    """
    if not Client.objects.filter(pk=client.pk, erasing=False).exists():
        raise Erasing
    row, key = ApiKey.objects.create_key(client=client, name=masked(name))
    assert isinstance(row, ApiKey)  # noqa: S101 - the library's manager is typed for its own model
    return row, key


class Revoked(Exception):
    """The key has been revoked already; the message is a sentence."""

    def __init__(self) -> None:
        super().__init__("This key has been revoked already.")


def revoke(*, key: ApiKey) -> None:
    """Revoke ``key`` for good; others may accept it for ``cached_lookup.PROCESS_SECONDS`` more.

    Raises:
        Revoked: Somebody else was quicker.
    """
    if not ApiKey.objects.filter(pk=key.pk, revoked=False).update(revoked=True):
        raise Revoked
    drop_cached(prefix=key.prefix)
    logger.info("api_key.revoked", extra={"client": key.client.client_id, "prefix": key.prefix})


@transaction.atomic
def rotate(*, key: ApiKey) -> tuple[ApiKey, str]:
    """Replace ``key`` by a new one of the same client and name, and revoke it.

    Raises:
        Erasing: The client gets no more keys.
        Revoked: Somebody else was quicker.
    """
    replacement = issue(client=key.client, name=key.name)
    revoke(key=key)
    return replacement


def drop_cached(*, prefix: str) -> None:
    """Drop the key with ``prefix`` from the cache."""
    _by_prefix.invalidate(prefix)


def drop_cached_keys(*, client: Client) -> None:
    """Drop all of the client's keys from the cache."""
    for prefix in ApiKey.objects.filter(client=client).values_list("prefix", flat=True):
        drop_cached(prefix=prefix)


def authenticate(secret: str) -> ApiKey | None:
    """Return the key for ``secret``, with its client; None if it is not valid.

    Costs a look into memory or the cache, or one query by a unique index.
    """
    prefix, dot, _ = secret.partition(".")
    # The prefix becomes part of a cache key, so only what Pave issues may get there.
    if not dot or not prefix.isascii() or not prefix.isalnum() or len(prefix) > 8:
        return None
    key = _by_prefix.get(prefix)
    if key is None or key.revoked or not key.client.active or key.has_expired:
        return None
    return key if key.is_valid(secret) else None


def record_use(*, key: ApiKey) -> None:
    """Record that ``key`` is in use, with at most one write a minute."""
    now = time.monotonic()
    interval = LAST_USED_EVERY.total_seconds()
    if now - _last_recorded.get(key.pk, -interval) < interval:
        return
    _last_recorded[key.pk] = now
    moment = timezone.now()
    ApiKey.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lt=moment - LAST_USED_EVERY), pk=key.pk
    ).update(last_used_at=moment)


def _load(prefix: str) -> ApiKey | None:
    return ApiKey.objects.select_related("client").filter(prefix=prefix).first()


def _dump(key: ApiKey) -> list[dict[str, Any]]:
    return [row_as_json(key.client), row_as_json(key)]


def _restore(rows: list[dict[str, Any]]) -> ApiKey:
    client, key = rows
    restored = row_from_json(ApiKey, key)
    restored.client = row_from_json(Client, client)
    return restored


_by_prefix: CachedLookup[ApiKey] = CachedLookup("api-key", _load, dump=_dump, restore=_restore)
