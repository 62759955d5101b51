"""Heuristics for PAVE_HEURISTIC: ones that count their runs, and ones that go wrong.

Each run appends its description to the file named by PAVE_TEST_RUNS before anything else happens,
so that a test sees what was run, by processes that may be dead by now.
"""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

from merchants.matching.types import Match, Transaction

FOREVER = 3_600.0


class Counting:
    """Answers with the description itself, and notes each run."""

    def key(self, transaction: Transaction) -> str:
        """Return one key for each description."""
        return transaction.description

    def match(self, transaction: Transaction) -> Match:
        """Answer, or do what the description says."""
        runs = Path(os.environ["PAVE_TEST_RUNS"])
        before = runs.read_text().splitlines() if runs.exists() else []
        with runs.open("a") as file:
            file.write(f"{transaction.description}\n")
        self.run(transaction.description, before.count(transaction.description))
        return Match(name=transaction.description.title(), method="cleaned", confidence=0.5)

    def run(self, description: str, earlier: int) -> None:
        """Take no time.

        Args:
            description: What is asked about.
            earlier: How many runs it has had before this one.
        """


class Slow(Counting):
    """Takes two seconds."""

    def run(self, description: str, earlier: int) -> None:
        time.sleep(2)


class LoadsLate(Counting):
    """Loads 400 MB when it is asked for the first time."""

    loaded: ClassVar[list[bytes]] = []

    def run(self, description: str, earlier: int) -> None:
        if not self.loaded:
            self.loaded.append(os.urandom(1) * 400_000_000)


class Leaking(Counting):
    """Keeps 150 MB more with each run."""

    kept: ClassVar[list[bytes]] = []

    def run(self, description: str, earlier: int) -> None:
        self.kept.append(os.urandom(1) * 150_000_000)


class StuckAtFirst(Counting):
    """The first run of each description never ends; later ones are quick."""

    def run(self, description: str, earlier: int) -> None:
        if not earlier:
            time.sleep(FOREVER)


class DeafAtFirst(StuckAtFirst):
    """Hears no alarm, as code does that never comes back to Python."""

    def run(self, description: str, earlier: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        super().run(description, earlier)


class Broken(Counting):
    """Goes wrong in the way that the description names."""

    def run(self, description: str, earlier: int) -> None:
        if description == "raises":
            raise RuntimeError("as asked")
        if description == "hangs":
            time.sleep(FOREVER)
        if description == "exits":
            os._exit(3)
