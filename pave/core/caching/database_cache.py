"""The cache in the database, for where there is no Redis."""

from typing import Any

from django.core.cache.backends import db
from django.core.cache.backends.base import DEFAULT_TIMEOUT

from pave.core import clock


class DatabaseCache(db.DatabaseCache):
    """Django's, whose entries expire by the clock by which it reads them.

    Django writes their end by the machine's clock, and judges it by ``timezone.now``.
    """

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float | None:
        """Return when an entry expires, in seconds since 1970; None for never."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        if seconds is None:
            return None
        return clock.timestamp() + seconds if seconds else -1  # at once
