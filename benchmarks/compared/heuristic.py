"""A heuristic for benchmarks: trivial keys, and runs that burn."""

import os
import time

from merchants.matching.types import Match, Transaction

SECONDS = float(os.environ.get("BENCH_BURN_SECONDS", "30"))


class Burning:
    """``BURN 1`` burns CPU; everything else is answered at once by its first word."""

    def key(self, transaction: Transaction) -> str:
        """Return the first word, or the whole of what burns."""
        text = transaction.description
        return text if text.startswith("BURN") else text.partition(" ")[0]

    def match(self, transaction: Transaction) -> Match:
        """Return the first word as the merchant."""
        text = transaction.description
        if text.startswith("BURN"):
            end = time.thread_time() + SECONDS
            while time.thread_time() < end:
                pass
        word = text.partition(" ")[0]
        return Match(name=word.title(), method="cleaned", confidence=0.5, descriptor=word)
