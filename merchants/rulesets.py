"""The old place of Pave's heuristic, which ``PAVE_HEURISTIC`` may still name. Gone in release 3."""

from merchants.catalogue.rulesets import CatalogueHeuristic

__all__ = ["CatalogueHeuristic"]
