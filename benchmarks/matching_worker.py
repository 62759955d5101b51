"""A process that matches, as a worker does: for the part ``matching``.

It imports no more than it needs, and reads a ruleset's content as it stands in the database.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

from benchmarks.feed import feed, found_share, mixed_share, repeat_share

ROWS = 20_000


def pack(path: str) -> None:
    """Write the shipped catalogue as a ruleset's content."""
    _set_up()
    from merchants.catalogue.importer import shipped_content

    Path(path).write_bytes(shipped_content().packed())


def measure(path: str, seed: int) -> dict[str, float]:
    """Return the figures of this process."""
    begun = time.perf_counter()
    _set_up()
    from merchants.catalogue.rulesets import CatalogueHeuristic, Content
    from merchants.matching.types import Transaction

    heuristic = CatalogueHeuristic(Content.unpacked(Path(path).read_bytes()))
    heuristic.match(Transaction("NETFLIX.COM"))
    started = time.perf_counter() - begun
    # Now: the feed keeps 100,000 names in memory, which a worker does not.
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    keys = []
    truth = []
    seconds = 0.0
    for text, merchant in feed(ROWS, seed=seed):
        transaction = Transaction(text)
        begun = time.perf_counter()
        key = heuristic.key(transaction)
        heuristic.match(transaction)
        seconds += time.perf_counter() - begun
        keys.append(key)
        truth.append(merchant)
    return {
        "per_second": ROWS / seconds,
        "start_seconds": started,
        "memory_mb": memory_mb,
        "true_share": repeat_share(truth),
        "found_share": found_share(keys, truth),
        "mixed_share": mixed_share(keys, truth),
    }


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pave.settings")
    import django

    django.setup()


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
