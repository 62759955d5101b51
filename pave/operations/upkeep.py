"""Work that the supervisor does by the clock, beside the apps' sweeps."""

import logging
import time
from collections.abc import Iterator

from django.core.cache import cache
from django.utils import timezone

from pave.operations import retention
from pave.operations.monitoring import counters

logger = logging.getLogger(__name__)

FOLD_EVERY = 30.0
# Old rows go once a day, by the first supervisor to think of it, a bit in each round.
PRUNE_EVERY = 24 * 3600
PRUNE_SLICE = 0.3
_CLAIM = "prune:claimed"

_folded = 0.0
_pruning: Iterator[int] | None = None
_pruned = 0
_look_for_old_at = 0.0


def sweep() -> None:
    """Fold old tallies now and then, and remove what has been kept long enough."""
    global _folded
    if time.monotonic() - _folded > FOLD_EVERY:
        _folded = time.monotonic()
        counters.fold(now=timezone.now())
    _prune_a_bit()


def _prune_a_bit() -> None:
    global _pruning, _pruned, _look_for_old_at
    now = time.monotonic()
    if _pruning is None:
        if now < _look_for_old_at:
            return
        _look_for_old_at = now + 60
        if not cache.add(_CLAIM, "yes", PRUNE_EVERY):
            return
        _look_for_old_at = now + PRUNE_EVERY
        _pruning, _pruned = retention.prune(), 0
    while time.monotonic() - now < PRUNE_SLICE:
        try:
            removed = next(_pruning, None)
        except Exception:
            # The rest goes tomorrow.
            _pruning = None
            raise
        if removed is None:
            _pruning = None
            logger.info("retention.pruned rows=%s", _pruned)
            return
        _pruned += removed
