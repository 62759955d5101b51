"""The cache in Redis."""

from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django_redis import cache

# By so much the times differ for which the same key is stored.
SLACK_SECONDS = 10


class RedisCache(cache.RedisCache):
    """django-redis's cache, which looks empty while Redis is away, and where it holds no JSON.

    While Redis is away, django-redis's ``add`` returns neither True nor False. Who adds a key to do
    what no other does would then not do it until Redis is back; done twice it does no harm.

    Somebody else may have written there: what is no JSON would fail whoever reads it, and what
    never expires would keep work from being done, for as long as it stays.
    """

    def get(self, key: str, default: Any = None, **kwargs: Any) -> Any:
        """Return a value, or the default; remove what Pave cannot have stored."""
        try:
            return super().get(key, default, **kwargs)
        except (ValueError, RecursionError):  # of JSON, or of its nesting
            self.delete(key, version=kwargs.get("version"))
            return default

    def add(
        self,
        key: str,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
        **kwargs: Any,
    ) -> bool:
        """Store a value if there is none; return whether there was none."""
        added = super().add(key, value, timeout, version, **kwargs)
        if added is None:
            return True
        if not added and self._outlives(key, timeout, version):
            super().set(key, value, timeout, version, **kwargs)
            return True
        return bool(added)

    def _outlives(self, key: str, timeout: Any, version: int | None) -> bool:
        """Return whether a key stays for longer than Pave lets it."""
        left = self.ttl(key, version=version)
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        return left is None or left > seconds + SLACK_SECONDS
