"""Entry points for django-q2 and the supervisor."""

from merchants.catalogue import rulesets
from merchants.matching.reading import read
from merchants.matching.types import Transaction
from merchants.requests import admission, batches, cancellation, resolving, revision
from merchants.requests import worker as working
from merchants.wakeups import CANCEL, REVISE, SUSPECTS
from pave.operations.cluster.work_loop import LINGER_SECONDS


def admit() -> int:
    """Admit what is queued."""
    return admission.admit()


def admit_suspects() -> int:
    """Admit one by one what could not be admitted with others."""
    SUSPECTS.acknowledge()
    return admission.admit_suspects()


def cancel_batches() -> int:
    """Take back what is left of batches that are to be canceled."""
    with CANCEL.exclusive() as exclusive:
        return cancellation.cancel_batches() if exclusive else 0


def resolve() -> int:
    """Run the heuristic on what is due."""
    return working.resolve_due(linger=LINGER_SECONDS)


def revise() -> int:
    """Look at earlier answers after a publication."""
    REVISE.acknowledge()
    return revision.revise()


def sweep() -> None:
    """Release what dead workers had claimed, and wake workers for what is due."""
    admission.sweep()
    cancellation.sweep()
    batches.sweep()
    resolving.sweep()
    revision.sweep()


def requeue(worker: str) -> None:
    """Put back what a dead worker had claimed."""
    admission.requeue(worker=worker)
    resolving.requeue(worker=worker)
    revision.requeue(worker=worker)


def preload() -> None:
    """Load the catalogue, which takes a second or so, and the lists that reading needs."""
    rulesets.heuristic_for(rulesets.current().number)
    for text in ("PAYMENT TO JANE DOE", "FERN CAFE SAO PAULO BR"):  # names; spellings of towns
        read(Transaction(text))
