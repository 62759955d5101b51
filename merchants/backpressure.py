"""Refusing what cannot be worked on soon, before the database drowns in it.

A look at the depth costs one short query, and each web process makes it once in a while and
goes by what it saw: accepting a transaction pays nothing for it.
"""

import threading
import time

from django.conf import settings

from merchants.models import NormalizationRequest, Resolution
from pave.api.exceptions import Overloaded

LOOK_EVERY = 2.0
RETRY_AFTER_SECONDS = 15

_lock = threading.Lock()
_looked_at = 0.0
_full = False


def refuse_if_full() -> None:
    """Do nothing, or say that there is too much work waiting.

    Raises:
        Overloaded: More than PAVE_MAX_QUEUE_DEPTH requests wait to be admitted, or questions to
            be answered.
    """
    global _looked_at, _full
    # One thread looks; the others go by what was seen before.
    if time.monotonic() - _looked_at > LOOK_EVERY and _lock.acquire(blocking=False):
        try:
            _full = is_full()
            _looked_at = time.monotonic()
        finally:
            _lock.release()
    if _full:
        raise Overloaded(RETRY_AFTER_SECONDS)


def is_full() -> bool:
    """Return whether as much work waits as may wait; reads no more rows than that."""
    limit = settings.PAVE_MAX_QUEUE_DEPTH
    queued = NormalizationRequest.objects.queued().order_by()
    pending = Resolution.objects.filter(status=Resolution.Status.PENDING).order_by()
    return any(rows.values_list("pk")[limit : limit + 1].exists() for rows in (queued, pending))
