"""Rate limits per client: a token bucket, exact across processes.

The bucket is stored as one number, the time at which it will be full again (the generic cell rate
algorithm): in Redis, updated by a script, or else in a row, updated by compare-and-set. No bucket
takes longer to fill than an empty one, whatever is stored.
"""

import logging
import math
from dataclasses import dataclass

import redis
from django.conf import settings
from django_redis import get_redis_connection

from pave.clients.models import Client, RateBucket
from pave.core import clock

logger = logging.getLogger(__name__)

# Takes one token. Arguments: seconds per token, tokens in a full bucket.
# Returns: 1 or 0, seconds until a token is available, seconds until the bucket is full. It uses the
# clock of Redis only.
_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local interval, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local known = redis.call('TYPE', KEYS[1]).ok == 'string' and tonumber(redis.call('GET', KEYS[1]))
if not known or known ~= known then known = now end
local full_at = math.max(known, now)
if full_at > now + size * interval then
  -- The limit was lowered; or somebody else wrote it, and it would stay.
  full_at = now + size * interval
  local fills = math.ceil(size * interval * 1000)
  redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', fills)
end
local after = full_at + interval
local pause = after - size * interval - now
if pause > 0 then
  return {0, tostring(pause), tostring(full_at - now)}
end
redis.call('SET', KEYS[1], string.format('%.6f', after), 'PX', math.ceil((after - now) * 1000))
return {1, '0', tostring(after - now)}
"""
# Compare-and-set attempts; fails only with very many processes at one row.
_MAX_TRIES = 50


@dataclass(frozen=True, slots=True)
class TakeResult:
    """The result of taking a token.

    Args:
        allowed: Whether there was one.
        pause: Seconds until there is one.
        until_full: Seconds until the bucket is full.
        size: Tokens in a full bucket.
        interval: Seconds per token.
    """

    allowed: bool
    pause: float
    until_full: float
    size: int
    interval: float

    @property
    def remaining(self) -> int:
        """Tokens that are left."""
        return max(0, math.floor(self.size - self.until_full / self.interval + 1e-6))

    @property
    def window(self) -> int:
        """Seconds in which an empty bucket fills."""
        return math.ceil(self.size * self.interval)


def take(*, client: Client) -> TakeResult | None:
    """Take a token from a client's bucket; None if it has no limit, or Redis is out of reach."""
    if client.requests_per_minute is None:
        return None
    interval = 60 / client.requests_per_minute
    size = client.burst or client.requests_per_minute
    if not settings.REDIS_URL:
        return TakeResult(*_take_from_row(client, interval, size), size, interval)
    try:
        connection = get_redis_connection("default")
        allowed, pause, until_full = connection.eval(_SCRIPT, 1, _redis_key(client), interval, size)
    except redis.RedisError:
        # Fail open: too many requests for a while are better than none.
        logger.warning("rate.no_redis", extra={"client": client.client_id})
        return None
    return TakeResult(bool(allowed), float(pause), float(until_full), size, interval)


def forget(*, client: Client) -> None:
    """Drop a client's bucket from Redis; one that cannot be reached drops it once it is full."""
    if settings.REDIS_URL:
        try:
            get_redis_connection("default").delete(_redis_key(client))
        except redis.RedisError:
            logger.warning("rate.no_redis", extra={"client": client.client_id})


def _redis_key(client: Client) -> str:
    return f"pave:rate:{client.pk}"


def _take_from_row(client: Client, interval: float, size: int) -> tuple[bool, float, float]:
    bucket = RateBucket.objects.filter(client=client)
    pause = interval
    for _ in range(_MAX_TRIES):
        now = clock.timestamp()
        full_at_before = bucket.values_list("full_at", flat=True).first()
        if full_at_before is None:
            RateBucket.objects.bulk_create(
                [RateBucket(client=client, full_at=now)], ignore_conflicts=True
            )
            continue
        full_at = min(max(full_at_before, now), now + size * interval)
        after = full_at + interval
        pause = after - size * interval - now
        if pause > 0:
            return False, pause, full_at - now
        if bucket.filter(full_at=full_at_before).update(full_at=after):
            return True, 0.0, after - now
    return False, interval, size * interval
