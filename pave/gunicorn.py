"""How the web server runs: ``gunicorn -c python:pave.gunicorn pave.wsgi``.

The number of worker processes is WEB_CONCURRENCY, as everywhere with gunicorn; 2 when not set.
"""

import os
import socket
import struct
from typing import Any

bind = "0.0.0.0:9898"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Threads, each with its own database connection: as fast as synchronous workers as long as they are
# few, and whoever waits, sends slowly or reads slowly holds one thread and not a whole process.
# Of those that wait there are at most PAVE_MAX_WAITING for results, 3 who log in
# (pave/staff/logins.py), 4 that send batches, 4 that read their results
# (merchants/api/transfer_limits.py) and 8 of all other routes (pave/api/concurrency.py), but for a
# post and a look at its answer, which are short: fewer than there are threads.
worker_class = "gthread"
threads = int(os.environ.get("PAVE_WEB_THREADS", "32"))
backlog = 1024
# Lists have cursors and filters of any script, percent-encoded, in their paths.
limit_request_line = 8190
# No caller waits longer than this for the database; then it is told to try again (503).
os.environ.setdefault("PAVE_STATEMENT_TIMEOUT", "15")
graceful_timeout = 20
# A worker that leaks is replaced before it matters, and not all of them at once.
max_requests = 100_000
max_requests_jitter = 10_000
# Heartbeats in memory: on a disk that is busy they would be late.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
control_socket_disable = True

# A client that sends nothing, or takes nothing, for so many seconds gives its thread back. One that
# trickles does not: in front of Pave there should be a proxy that buffers, as nginx does.
STALLED_SECONDS = int(os.environ.get("PAVE_WEB_STALLED_SECONDS", "20"))


def when_ready(server: Any) -> None:
    """Give the listening sockets time-outs, which those that they accept inherit (on Linux)."""
    seconds = struct.pack("ll", STALLED_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
