"""Entry points for django-q2 and the supervisor."""

from merchants import batches, normalization, resolving, revising, rulesets, working
from merchants.bells import CANCEL, REVISE, SUSPECTS
from merchants.question import Transaction
from merchants.reading import read
from pave.operations.shift import LINGER_SECONDS


def admit() -> int:
    """Admit what is queued."""
    return normalization.admit()


def admit_suspects() -> int:
    """Admit one by one what could not be admitted with others."""
    SUSPECTS.hear()
    return normalization.admit_suspects()


def cancel_batches() -> int:
    """Take back what is left of batches that are to be canceled."""
    with CANCEL.alone() as alone:
        return normalization.cancel_batches() if alone else 0


def resolve() -> int:
    """Run the heuristic on what is due."""
    return working.resolve_due(linger=LINGER_SECONDS)


def revise() -> int:
    """Look at earlier answers after a publication."""
    REVISE.hear()
    return revising.revise()


def sweep() -> None:
    """Put back what was lost, and ring for what is due."""
    normalization.sweep()
    batches.sweep()
    resolving.sweep()
    revising.sweep()


def hand_back(worker: str) -> None:
    """Put back what a dead worker had claimed."""
    normalization.hand_back(worker=worker)
    resolving.hand_back(worker=worker)
    revising.hand_back(worker=worker)


def preload() -> None:
    """Load the catalogue, which takes a second or so, and the lists that reading needs."""
    rulesets.heuristic_for(rulesets.current().number)
    for text in ("PAYMENT TO JANE DOE", "FERN CAFE SAO PAULO BR"):  # names; spellings of towns
        read(Transaction(text))
