"""The old path of the heuristic's protocol, for custom heuristics. To be removed in release 3."""

from merchants.matching.heuristic import Heuristic, Key, Match, Method, Transaction

__all__ = ["Heuristic", "Key", "Match", "Method", "Transaction"]
