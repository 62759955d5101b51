"""Entry points for django-q2 and the supervisor."""

from merchants.requests import admission, cancellation, revision, worker
from merchants.wakeups import CANCEL, REVISE, SUSPECTS
from pave.operations.cluster.work_loop import LINGER_SECONDS, listening


def admit() -> int:
    """Admit what is queued."""
    return admission.admit()


def admit_suspects() -> int:
    """Admit, one by one, what could not be admitted with others."""
    SUSPECTS.acknowledge()
    return admission.admit_suspects()


def cancel_batches() -> int:
    """Cancel the remaining rows of batches, and admit other requests meanwhile."""
    with CANCEL.exclusive() as exclusive:
        if not exclusive:
            return 0
        return cancellation.cancel_batches(between=admission.admit_batch)


def resolve() -> int:
    """Run the heuristic on what is due."""
    with listening():
        return worker.resolve_due(linger=LINGER_SECONDS)


def revise() -> int:
    """Revise earlier answers after a publication."""
    REVISE.acknowledge()
    return revision.revise()
