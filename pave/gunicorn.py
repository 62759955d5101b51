"""How the web server runs: ``gunicorn -c python:pave.gunicorn pave.wsgi``.

The number of worker processes is WEB_CONCURRENCY, as everywhere with gunicorn; 2 when not set.
"""

import os
import resource
import socket
import struct
from typing import Any

bind = "0.0.0.0:9898"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# Threads, each with its own database connection: as fast as synchronous workers while they are few,
# and a client that waits, reads slowly, or sends a large body slowly holds one thread and not a
# whole process. At most this many may hold a thread for long: PAVE_MAX_WAITING that wait for
# results, 3 logins and 6 other pages of staff (pave/staff/), 4 uploads and 4 downloads of batches
# (merchants/api/transfer_limits.py), and 8 of all other routes (pave/api/views.py) except a
# single post and reading its answer, which are short. These are fewer than there are threads, of
# which one caller has half (pave/web_server/turns.py).
worker_class = "pave.web_server.worker.BufferingWorker"
threads = int(os.environ.get("PAVE_WEB_THREADS", "36"))
backlog = 1024
# What a process holds, where it may have as many files; then some of who has most end.
_, _files = resource.getrlimit(resource.RLIMIT_NOFILE)
worker_connections = 1000 if _files == resource.RLIM_INFINITY else min(1000, _files // 2)
# Longer than most proxies keep an idle connection (nginx: 60 s). With gunicorn's two seconds, who
# posts every other second meets the end of one, and many clients do not repeat a POST.
keepalive = 75
# URLs of lists contain cursors and percent-encoded filters in any script.
limit_request_line = 8190
# A proxy on this machine is trusted (forwarded_allow_ips) with X-Forwarded-Proto, not with the path
# of a request: some pass on what a client sent as SCRIPT_NAME.
forwarder_headers = ""
# The longest wait for the database; then the caller gets 503, to try again.
os.environ.setdefault("PAVE_STATEMENT_TIMEOUT", "15")
graceful_timeout = 20
# Heartbeats in memory, since they would be late on a busy disk.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - in memory; gunicorn reads this file first
control_socket_disable = True
# It would pass by the worker's socket, which lets few threads wait for slow readers.
sendfile = False

# How long a request of up to 256 KiB may take to arrive (pave/web_server/worker.py); and for how
# long a client may send nothing of a larger one before it loses its thread.
STALLED_SECONDS = int(os.environ.get("PAVE_WEB_STALLED_SECONDS", "20"))


def when_ready(server: Any) -> None:
    """Set up what processes and accepted sockets inherit (on Linux)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * worker_connections), hard))
    seconds = struct.pack("ll", STALLED_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
        # A thread does not wait for who reads a response of up to this size slowly: a page of a
        # list.
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * 1024)
        # The kernel would take megabytes of what nobody reads, as of an upload that was refused.
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
