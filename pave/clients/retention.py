"""Retention of API keys that are no longer valid."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q

from pave.clients.models import ApiKey
from pave.operations.retention import Expiry


def expiries(*, now: datetime, cutoff: datetime) -> Iterator[Expiry]:
    """Yield revoked and expired keys, last used before the cut-off."""
    yield Expiry(
        "ended API keys",
        ApiKey.objects.filter(
            Q(revoked=True) | Q(expiry_date__lt=cutoff),
            Q(last_used_at=None) | Q(last_used_at__lt=cutoff),
            created__lt=cutoff,
        ),
    )
