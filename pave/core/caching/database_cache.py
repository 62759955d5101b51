"""The cache in the database, for where there is no Redis."""

import base64
import io
import logging
import pickle
from collections.abc import Iterable
from typing import Any, NoReturn

from django.core.cache.backends import db
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.db import connection
from django.utils import timezone

from pave.core import clock

logger = logging.getLogger(__name__)


class _Plain(pickle.Unpickler):
    """Reads what consists of texts, numbers, lists and the like: what would run code is an error.

    https://docs.python.org/3/library/pickle.html#restricting-globals
    """

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is not plain")


class DatabaseCache(db.DatabaseCache):
    """Django's, whose entries are plain, and expire by the clock by which it reads them.

    Django runs what whoever writes to the table has pickled. It writes their end by the machine's
    clock, and judges it by ``timezone.now``.
    """

    _table: str  # which Django's has

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        """Return the values of keys that are there; what is not plain is as if it were not."""
        names = {self.make_and_validate_key(key, version=version): key for key in keys}
        if not names:
            return {}
        with connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(names))
            cursor.execute(
                f"SELECT cache_key, value FROM {self._table} "  # noqa: S608 - of the settings
                f"WHERE cache_key IN ({marks}) AND expires > %s",
                [*names, connection.ops.adapt_datetimefield_value(timezone.now())],
            )
            rows = cursor.fetchall()
        values = {}
        for name, stored in rows:
            try:
                values[names[name]] = _Plain(io.BytesIO(base64.b64decode(stored))).load()
            except Exception:  # whatever comes of a pickle that somebody else has written
                logger.warning("cache.unreadable", extra={"key": name})
        return values

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float | None:
        """Return when an entry expires, in seconds since 1970; None for never."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        if seconds is None:
            return None
        return clock.timestamp() + seconds if seconds else -1  # at once
