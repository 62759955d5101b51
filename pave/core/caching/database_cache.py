"""The cache in the database, for where there is no Redis."""

import base64
import json
import logging
import pickletools
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.core.cache.backends import db
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.db import connection
from django.utils import timezone

from pave.core import clock
from pave.core.caching.redis_cache import SLACK_SECONDS

logger = logging.getLogger(__name__)


class DatabaseCache(db.DatabaseCache):
    """Django's, with JSON in it, whose entries expire by the clock by which it reads them.

    Django unpickles what is there, which runs what somebody else may have written. It writes the
    end of an entry by the machine's clock, and judges it by ``timezone.now``.
    """

    _table: str  # which Django's has

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        """Return the values of keys that are there; what is no JSON is as if it were not."""
        names = {self.make_and_validate_key(key, version=version): key for key in keys}
        values = {}
        for name, stored in self._rows(names, "value", timezone.now()) if names else ():
            try:
                values[names[name]] = json.loads(_text(stored))
            except Exception:  # whatever comes of what somebody else has written
                logger.warning("cache.unreadable", extra={"key": name})
        return values

    def set(
        self,
        key: str,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Store what JSON can hold."""
        super().set(key, json.dumps(value), timeout, version)

    def add(
        self,
        key: str,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Store a value if there is none; return whether there was none.

        What stays for longer than Pave lets it would keep work from being done.
        """
        if super().add(key, json.dumps(value), timeout, version):
            return True
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        if seconds is None:
            return False
        end = timezone.now() + timedelta(seconds=seconds + SLACK_SECONDS)
        if not self._rows([self.make_and_validate_key(key, version=version)], "1", end):
            return False
        self.set(key, value, timeout, version)
        return True

    def _rows(self, names: Iterable[str], column: str, after: Any) -> list[tuple[str, Any]]:
        """Return the names of entries that expire later than ``after``, each with a column."""
        names = list(names)
        marks = ", ".join(["%s"] * len(names))
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT cache_key, {column} FROM {self._table} "  # noqa: S608 - ours
                f"WHERE cache_key IN ({marks}) AND expires > %s",
                [*names, connection.ops.adapt_datetimefield_value(after)],
            )
            return cursor.fetchall()

    def get_backend_timeout(self, timeout: Any = DEFAULT_TIMEOUT) -> float | None:
        """Return when an entry expires, in seconds since 1970; None for never."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        if seconds is None:
            return None
        return clock.timestamp() + seconds if seconds else -1  # at once


def _text(stored: str) -> str:
    """Return the one text in a pickle, which is read and not run."""
    [text] = [
        argument
        for opcode, argument, _ in pickletools.genops(base64.b64decode(stored))
        if opcode.stack_after == [pickletools.pyunicode]
    ]
    return str(text)
