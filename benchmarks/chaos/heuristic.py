"""The heuristic of the fault tests: takes some CPU, and goes wrong where the text says so."""

import os
import signal
import time

from merchants.matching.types import Match, Transaction

# Words that a descriptor begins with.
RAISES, HANGS, DEAF, EXITS = "RAISES", "HANGS", "DEAF", "EXITS"
SLOW, LEAKS = "SLOW", "LEAKS"
POISONS = (RAISES, HANGS, DEAF, EXITS)
_FOREVER = 3_600.0
_SECONDS = 0.02
_SLOW_SECONDS = 1.5
_LEAKED_BYTES = 150_000_000
_leaked: list[bytes] = []


class ChaosHeuristic:
    """Answers with the first two words of the descriptor."""

    def key(self, transaction: Transaction) -> str:
        """Return one key for each descriptor."""
        return transaction.description

    def match(self, transaction: Transaction) -> Match:
        """Answer, or go wrong."""
        words = transaction.description.split()
        _burn(_SECONDS)
        if words[0] == SLOW:
            time.sleep(_SLOW_SECONDS)  # no CPU: on a busy machine it would take too long
        if words[0] == LEAKS:
            _leaked.append(os.urandom(1) * _LEAKED_BYTES)
        if words[0] == RAISES:
            raise RuntimeError("as asked")
        if words[0] == DEAF:
            # As code that never comes back to Python: no alarm is heard.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        if words[0] in (HANGS, DEAF):
            time.sleep(_FOREVER)
        if words[0] == EXITS:
            os._exit(3)
        return Match(name=" ".join(words[:2]).title(), method="cleaned", confidence=0.5)


def _burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
