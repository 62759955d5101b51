"""Names of processes, as written into the rows that they claim.

Each part of a name ends in a slash. So a cluster's name is the beginning of its workers' names,
and a worker's name is the beginning of no other's (as 12/34 would be of 12/345).
"""

import os
import socket
from uuid import uuid4

# The environment variable in which a cluster's processes find its name.
CLUSTER_NAME = "PAVE_CLUSTER_NAME"


def new_cluster_name() -> str:
    """Return a name for a cluster on this host that none has had before, as a process id may."""
    return f"{_host()}/{uuid4().hex[:12]}/"


def old_cluster_name(pid: int) -> str:
    """Return the name that a cluster of an earlier release, the process ``pid`` here, has."""
    return f"{_host()}/{pid}/"


def worker_name() -> str:
    """Return the name of the calling process."""
    cluster = os.environ.get(CLUSTER_NAME) or old_cluster_name(os.getppid())
    return worker_of(cluster, os.getpid())


def worker_of(cluster: str, pid: int) -> str:
    """Return the name of a cluster's worker.

    Args:
        cluster: The cluster's name.
        pid: The worker's process.
    """
    return f"{cluster}{pid}/"


def _host() -> str:
    return socket.gethostname()[:80]
