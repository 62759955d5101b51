"""Periodic work of the supervisor, in addition to the apps' sweeps."""

import logging
import time
from collections.abc import Iterator

from django.core.cache import cache
from django.utils import timezone

from pave.core.caching.cached_lookup import read_cached, write_cached
from pave.operations import retention
from pave.operations.monitoring import counters

logger = logging.getLogger(__name__)

ROLL_UP_INTERVAL = 30.0
# Old rows are removed once a day, by the first supervisor to claim it, a slice in each sweep. If it
# ends meanwhile, another one goes on when its claim has expired.
PRUNE_INTERVAL = 24 * 3600
PRUNE_SLICE_SECONDS = 0.3
CLAIM_SECONDS = 60
_CLAIM = "prune:claimed"
_DONE = "prune:done"

_rolled_up_at = 0.0
_pruning: Iterator[int] | None = None
_pruned = 0
_next_prune_at = 0.0


def sweep() -> None:
    """Roll up old counts periodically, and remove expired rows."""
    global _rolled_up_at
    if time.monotonic() - _rolled_up_at > ROLL_UP_INTERVAL:
        _rolled_up_at = time.monotonic()
        counters.roll_up(now=timezone.now())
    _prune_slice()


def _prune_slice() -> None:
    global _pruning, _pruned, _next_prune_at
    now = time.monotonic()
    if _pruning is None:
        if now < _next_prune_at:
            return
        _next_prune_at = now + CLAIM_SECONDS
        if read_cached(_DONE, bool, seconds=PRUNE_INTERVAL):
            return
        if not cache.add(_CLAIM, "yes", CLAIM_SECONDS):
            return
        _pruning, _pruned = retention.prune(), 0
    cache.set(_CLAIM, "yes", CLAIM_SECONDS)
    while time.monotonic() - now < PRUNE_SLICE_SECONDS:
        try:
            removed = next(_pruning, None)
        except Exception:
            _pruning = None
            raise
        if removed is None:
            _pruning = None
            _next_prune_at = now + PRUNE_INTERVAL
            write_cached(_DONE, True, seconds=PRUNE_INTERVAL)
            logger.info("retention.pruned", extra={"rows": _pruned})
            return
        _pruned += removed
