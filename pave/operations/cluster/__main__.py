"""One django-q2 cluster for one queue: run as ``python -m pave.operations.cluster``.

django-q2's sentinel runs in this process itself, hardened against known problems:

* A process killed while it waits at one of the cluster's queues may hold the queue's lock, and
  then nothing gets through that queue again. The sentinel detects the death and ends the cluster,
  for the supervisor to restart it.
* Other stalls are detected by a canary, a task put into the local queue that must be done, and by
  a pusher that no longer polls for tasks.
* An unavailable database or broker ends nothing (``pave.operations.cluster.db_retry``).
* No process outlives its parent (``pave.operations.cluster.process_control``).
* On SIGTERM what was fetched and not started is dropped.
"""

import os
import signal
import sys

from pave.operations.cluster.process_control import die_with_parent, name_process
from pave.operations.cluster.status_pipe import Reporter


def main(queue: str, report_pipe: int, supervisor: int) -> None:
    """Run the cluster of ``queue`` until SIGTERM, or until it must be restarted.

    Args:
        queue: ``quick`` or ``heuristic``.
        report_pipe: File descriptor of the pipe to the supervisor.
        supervisor: Its process id.
    """
    die_with_parent(signal.SIGTERM, supervisor)
    name_process(f"pave-{queue}")
    # django-q2 reads the queue's name from here, once, when it is imported.
    os.environ["Q_CLUSTER_NAME"] = queue
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pave.settings")
    import django

    django.setup()

    from pave.core import clock
    from pave.core.app_config import pave_apps
    from pave.operations.cluster import sentinel

    clock.follow_database()
    # Before the workers are forked, so that they share the memory.
    for app in pave_apps():
        app.preload()
    sentinel.start(queue=queue, reporter=Reporter(report_pipe))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
