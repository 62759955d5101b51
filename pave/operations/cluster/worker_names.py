"""Names of processes, as written into the rows that they claim.

Each part of a name ends in a slash. So a cluster's name is the beginning of its workers' names,
and a worker's name is the beginning of no other's (as 12/34 would be of 12/345).
"""

import os
import socket


def cluster_name(pid: int) -> str:
    """Return the prefix of the names of the workers whose cluster is the process ``pid`` here."""
    return f"{socket.gethostname()[:80]}/{pid}/"


def worker_name(pid: int | None = None, *, cluster: int | None = None) -> str:
    """Return the name of a worker.

    Args:
        pid: The worker's process; None for the calling process.
        cluster: Its cluster's process; None for the parent of the calling process.
    """
    return f"{cluster_name(cluster or os.getppid())}{pid or os.getpid()}/"
