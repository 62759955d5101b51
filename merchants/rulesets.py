"""The old path of Pave's heuristic, for ``PAVE_HEURISTIC``. To be removed in release 3."""

from merchants.catalogue.rulesets import CatalogueHeuristic

__all__ = ["CatalogueHeuristic"]
