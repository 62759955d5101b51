"""The old path of a heuristic's types, for custom heuristics. To be removed in release 3."""

from merchants.matching.types import Key, Match, Method, Transaction

__all__ = ["Key", "Match", "Method", "Transaction"]
