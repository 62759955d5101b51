"""The cache in Redis."""

from typing import Any

from django_redis import cache


class RedisCache(cache.RedisCache):
    """django-redis's cache, which looks empty while Redis is away, also to ``add``.

    There ``add`` returns neither True nor False. Who adds a key to do what no other does would
    then not do it until Redis is back; done twice it does no harm.
    """

    def add(self, *args: Any, **kwargs: Any) -> bool:
        """Store a value if there is none; return whether there was none."""
        added = super().add(*args, **kwargs)
        return True if added is None else bool(added)
