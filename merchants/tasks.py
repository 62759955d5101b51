"""Entry points for django-q2 and the supervisor."""

from merchants import normalization, resolving
from merchants.catalogue import current_ruleset, heuristic_for


def admit() -> int:
    """Admit what is queued."""
    return normalization.admit()


def resolve() -> int:
    """Run the heuristic on what is due."""
    return resolving.resolve_due()


def sweep() -> None:
    """Put back what was lost, and ring for what is due."""
    normalization.sweep()
    resolving.sweep()


def hand_back(worker: str) -> None:
    """Put back what a dead worker had claimed."""
    resolving.hand_back(worker=worker)


def preload() -> None:
    """Load the catalogue, which takes a second or so."""
    heuristic_for(current_ruleset())
