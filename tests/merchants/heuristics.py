"""Small heuristics for tests, named by PAVE_HEURISTIC."""

import time

from merchants.matching.heuristic import Key, Match, Transaction


class FirstWord:
    """Asks and answers by the first word: ``NETFLIX 1`` and ``NETFLIX 2`` have one key."""

    runs = 0

    def key(self, transaction: Transaction) -> Key:
        if transaction.description.startswith("UNREADABLE"):
            raise ValueError("no key in this")
        if transaction.description.startswith("ENDLESS"):
            time.sleep(3600)
        return Key(transaction.description.split()[0].lower(), shared=True)

    def match(self, transaction: Transaction) -> Match:
        FirstWord.runs += 1
        word = transaction.description.split()[0]
        if word == "RAISE":
            raise RuntimeError("told to")
        while word == "HANG":
            try:
                time.sleep(0.01)
            except Exception:  # noqa: S110 - the rude kind of heuristic, which swallows everything
                pass
        return Match(name=word.title(), method="cleaned", confidence=0.5, descriptor=word)
