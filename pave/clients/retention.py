"""How long API keys that open nothing any more are kept."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Q

from pave.clients.models import ApiKey
from pave.operations.retention import Expiry


def expiries(*, now: datetime, cutoff: datetime) -> Iterator[Expiry]:
    """Yield keys that were revoked or have expired, and were last used before the cut-off."""
    yield Expiry(
        "ended API keys",
        ApiKey.objects.filter(
            Q(revoked=True) | Q(expiry_date__lt=cutoff),
            Q(last_used_at=None) | Q(last_used_at__lt=cutoff),
            created__lt=cutoff,
        ),
    )
