"""Work that the supervisor does by the clock, beside the apps' sweeps."""

import time

from django.utils import timezone

from pave.operations import tallies

FOLD_EVERY = 30.0
_folded = 0.0


def sweep() -> None:
    """Fold old tallies, now and then."""
    global _folded
    if time.monotonic() - _folded > FOLD_EVERY:
        _folded = time.monotonic()
        tallies.fold(now=timezone.now())
