"""The old place of the heuristic's protocol, for heuristics of one's own. Gone in release 3."""

from merchants.matching.heuristic import Heuristic, Key, Match, Method, Transaction

__all__ = ["Heuristic", "Key", "Match", "Method", "Transaction"]
