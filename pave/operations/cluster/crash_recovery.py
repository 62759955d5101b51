"""Requeues what a dead worker had claimed."""

import logging

from pave.core.app_config import pave_apps

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
            logger.warning("requeue.failed worker=%s by=%s error=%s", worker, app.label, error)
    return done
