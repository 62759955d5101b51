"""How many transactions a client has sent."""

from datetime import datetime
from typing import Any

from django.core.cache import cache

from merchants.models import NormalizationRequest
from pave.clients import quotas
from pave.clients.models import Client
from pave.core.caching.cached_lookup import read_cached, write_cached
from pave.core.ids import first_id_at

# The counts of a client with very many requests take a second or so.
_CACHED_SECONDS = 15

Status = NormalizationRequest.Status


def count_since(client: Client, start: datetime) -> int:
    """Return how many transactions of a client were accepted since ``start``."""
    return NormalizationRequest.objects.filter(client=client, id__gte=first_id_at(start)).count()


def left(client: Client, *, now: datetime) -> int | None:
    """Return what is left of the client's quota; call it before the accepting transaction."""
    return quotas.remaining(
        client=client, now=now, count_since=lambda start: count_since(client, start)
    )


def charge(client: Client, number: int, *, now: datetime, written: int = 0) -> None:
    """Count transactions against the client's quota, late in the accepting transaction.

    Args:
        client: Who sends them.
        number: How many.
        now: The present.
        written: How many of these the open transaction has written already.

    Raises:
        QuotaExceeded: The quota has fewer left.
    """
    quotas.charge(
        client=client,
        number=number,
        now=now,
        count_since=lambda start: count_since(client, start),
        written=written,
    )


def counts(client: Client, *, now: datetime) -> dict[str, int]:
    """Return how many transactions were accepted this month, in all and by status.

    Each number is counted by an index; the number of completed ones is the rest.
    """
    start, _ = quotas.month_of(now)
    key = _cache_key(client, start)
    numbers: dict[str, int] | None = read_cached(key, dict, seconds=_CACHED_SECONDS)
    if numbers is None:
        month = NormalizationRequest.objects.filter(client=client, id__gte=first_id_at(start))
        others = (Status.QUEUED, Status.PROCESSING, Status.FAILED, Status.CANCELED)
        by_status = {str(status): month.filter(status=status).count() for status in others}
        # Last, so that it includes what is posted meanwhile.
        total = month.count()
        completed = max(0, total - sum(by_status.values()))
        numbers = {"total": total, **by_status, "completed": completed}
        write_cached(key, numbers, seconds=_CACHED_SECONDS)
    return numbers


def forget(client: Client, *, now: datetime) -> None:
    """Drop what is cached of a client's use."""
    start, _ = quotas.month_of(now)
    cache.delete(_cache_key(client, start))


def _cache_key(client: Client, start: datetime) -> str:
    return f"usage:{client.pk}:{start:%Y-%m}"


def describe(client: Client, *, now: datetime) -> dict[str, Any]:
    """Return a client's use and limits as the API gives them."""
    start, end = quotas.month_of(now)
    numbers = counts(client, now=now)
    quota = client.monthly_quota
    left(client, now=now)  # begins the count of a new quota
    used = numbers["total"] if quota is None else quotas.used(client=client, now=now) or 0
    rate = client.requests_per_minute
    return {
        "client_id": client.client_id,
        "period": {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}"},
        "normalizations": numbers,
        "quota": {
            "limit": quota,
            "used": used,
            "remaining": None if quota is None else max(0, quota - used),
        },
        "rate": {
            "requests_per_minute": rate,
            "burst": client.burst or rate if rate else None,
        },
    }
