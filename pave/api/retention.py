"""How long idempotency keys are kept."""

from collections.abc import Iterator
from datetime import datetime

from pave.api.models import IdempotencyKey
from pave.operations.retention import Expiry


def expiries(*, now: datetime, cutoff: datetime) -> Iterator[Expiry]:
    """Yield expired keys."""
    yield Expiry("idempotency keys", IdempotencyKey.objects.filter(expires_at__lt=now))
