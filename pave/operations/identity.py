"""Names of processes, as they stand in the rows that they have claimed."""

import os
import socket


def cluster_name(pid: int) -> str:
    """Return the prefix of the names of the workers whose cluster is the process ``pid`` here."""
    return f"{socket.gethostname()[:80]}/{pid}/"


def worker_name(pid: int | None = None) -> str:
    """Return the name of a worker of the calling cluster process, or of the caller itself.

    Args:
        pid: The worker's process, when its cluster asks; None for the calling process.
    """
    if pid is None:
        return f"{cluster_name(os.getppid())}{os.getpid()}"
    return f"{cluster_name(os.getpid())}{pid}"
