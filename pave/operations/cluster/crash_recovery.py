"""Giving back what a dead worker had claimed."""

import logging

from pave.core.app_config import pave_apps

logger = logging.getLogger(__name__)


def requeue(worker: str) -> bool:
    """Let every app put back what ``worker`` had claimed.

    Never raises. Whoever gets False does well to try again; else what was not given back here is
    put back when its lease ends.

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
