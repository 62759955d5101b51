"""Bounds what a worker's memory may grow by (PAVE_WORKER_MAX_RSS).

django-q2's own limit, which ends a worker after its task, is absolute. What a worker needs in any
case, such as a large catalogue, is part of that, and it loads some of it for its first work.
"""

import math
import resource

from django.conf import settings

from pave.operations.cluster.django_q2 import Conf, rss_check


def start() -> None:
    """Let this process, a worker, have a limit from its first work on (``set_limit``)."""
    if Conf.MAX_RSS is None:
        Conf.MAX_RSS = math.inf


def set_limit() -> None:
    """Let a worker take PAVE_WORKER_MAX_RSS beside what it has had so far; only once.

    Call it after work for which all data is loaded.
    """
    if Conf.MAX_RSS is not None and math.isinf(Conf.MAX_RSS):
        had = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        Conf.MAX_RSS = had + 1024 * settings.PAVE_WORKER_MAX_RSS


def is_exceeded() -> bool:
    """Return whether the worker ends with its task. Other processes have no limit."""
    return bool(rss_check())
