"""Bounds what a worker's memory may grow by (PAVE_WORKER_MAX_RSS).

django-q2's own limit, which ends a worker after its task, is absolute. What a worker needs in any
case, such as a large catalogue, is part of that, and it loads some of it for its first work of a
kind.
"""

import math
import resource

from django.conf import settings

from pave.operations.cluster.django_q2 import Conf, rss_check

# The tasks that this process has begun to do with all that they need loaded.
_loaded: set[str] = set()


def start() -> None:
    """Let this process, a worker, have a limit from its first work on (``note_loaded``)."""
    if Conf.MAX_RSS is None:
        Conf.MAX_RSS = math.inf


def note_loaded(task: str) -> None:
    """Let a worker take PAVE_WORKER_MAX_RSS beside what it has had so far.

    Args:
        task: Its kind of work, for which all data is loaded; only the first call for each counts.
    """
    if Conf.MAX_RSS is not None and task not in _loaded:
        _loaded.add(task)
        Conf.MAX_RSS = peak_kilobytes() + 1024 * settings.PAVE_WORKER_MAX_RSS


def peak_kilobytes() -> int:
    """Return the most memory that this process has had, as django-q2 measures it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def is_exceeded() -> bool:
    """Return whether the worker ends with its task. Other processes have no limit."""
    return bool(rss_check())
