"""The old place of a heuristic's types, for heuristics of one's own. Gone in release 3."""

from merchants.matching.types import Key, Match, Method, Transaction

__all__ = ["Key", "Match", "Method", "Transaction"]
