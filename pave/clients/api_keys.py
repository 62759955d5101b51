"""Keys: made, looked up, revoked, rotated."""

import time
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from pave.clients.models import ApiKey, Client
from pave.core.cached_lookup import CachedLookup
from pave.core.card_masking import masked

LAST_USED_EVERY = timedelta(minutes=1)
# When this process last looked whether a key's last use is to be written, by the key's id.
_noted: dict[str, float] = {}


def issue(*, client: Client, name: str = "default") -> tuple[ApiKey, str]:
    """Make a key for ``client`` and return its row and the key itself, which is kept nowhere."""
    row, key = ApiKey.objects.create_key(client=client, name=masked(name))
    assert isinstance(row, ApiKey)  # noqa: S101 - the library's manager is typed for its own model
    return row, key


def revoke(*, key: ApiKey) -> None:
    """End ``key`` at once and for good."""
    ApiKey.objects.filter(pk=key.pk).update(revoked=True)
    forget(prefix=key.prefix)


def rotate(*, key: ApiKey) -> tuple[ApiKey, str]:
    """Replace ``key`` by a new one of the same client and name, and revoke it."""
    replacement = issue(client=key.client, name=key.name)
    revoke(key=key)
    return replacement


def forget(*, prefix: str) -> None:
    """Let the next use of the key with ``prefix`` see the database."""
    _by_prefix.forget(prefix)


def forget_client(*, client: Client) -> None:
    """Let the next use of any of the client's keys see the database."""
    for prefix in ApiKey.objects.filter(client=client).values_list("prefix", flat=True):
        forget(prefix=prefix)


def authenticate(secret: str) -> ApiKey | None:
    """Return the key that ``secret`` is, with its client, or None if it opens nothing.

    Costs a cache hit or one query by a unique index.
    """
    prefix, dot, _ = secret.partition(".")
    # The prefix is part of a cache key: nothing but what Pave itself gives out may get there.
    if not dot or not prefix.isascii() or not prefix.isalnum() or len(prefix) > 8:
        return None
    key = _by_prefix.get(prefix)
    if key is None or key.revoked or not key.client.active or key.has_expired:
        return None
    return key if key.is_valid(secret) else None


def note_use(*, key: ApiKey) -> None:
    """Record that ``key`` is in use, with at most one write a minute."""
    now = time.monotonic()
    every = LAST_USED_EVERY.total_seconds()
    if now - _noted.get(key.pk, -every) < every:
        return
    _noted[key.pk] = now
    moment = timezone.now()
    ApiKey.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lt=moment - LAST_USED_EVERY), pk=key.pk
    ).update(last_used_at=moment)


def _load(prefix: str) -> ApiKey | None:
    return ApiKey.objects.select_related("client").filter(prefix=prefix).first()


_by_prefix: CachedLookup[ApiKey] = CachedLookup("api-key", _load)
