"""Requeues what a dead worker had claimed."""

import logging

from pave.core.app_config import pave_apps
from pave.operations.cluster.db_retry import first_line

logger = logging.getLogger(__name__)


def requeue(worker: str) -> bool:
    """Let every app requeue what ``worker`` had claimed.

    Never raises. Retry if it returns False; else the remaining rows are requeued only when their
    leases end.

    Args:
        worker: A worker's name, or a cluster's, which stands for all of its workers
            (``pave.operations.cluster.worker_names``).
    """
    done = True
    for app in pave_apps():
        try:
            app.requeue(worker)
        except Exception as error:
            done = False
            logger.warning(
                "requeue.failed",
                extra={"worker": worker, "by": app.label, "error": first_line(error)},
            )
    return done
