"""Liveness of this process, and readiness of Pave."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from django.core.cache import cache
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from pave.core import clock
from pave.core.database import lock_limit
from pave.core.database.lock_limit import Locked
from pave.operations.cluster.wakeup import QUEUES
from pave.operations.models import CacheEntry, ClusterBeat
from pave.operations.monitoring.access import may_monitor

logger = logging.getLogger(__name__)

# A supervisor writes its clusters' heartbeats every five seconds.
SEEN_WITHIN = timedelta(seconds=30)
# How long after a row that could be written none is tried, and how long a commit may wait for a
# stand-by; seconds.
WRITE_EVERY = 1.0
COMMIT_SECONDS = 5.0
_written_at = float("-inf")

_migrated = False


@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """Respond that the process serves requests; checks nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Respond with the state of each of Pave's parts.

    503 without the database or with migrations missing: then no request can be accepted. Without
    the cache or a cluster Pave is slower, but accepts requests: "degraded". The parts are named to
    who has the token of the metrics.
    """
    clock.synchronize()
    required = {"database": _passes(_database)}
    required["migrations"] = required["database"] and _passes(_migrations)
    optional = {"cache": _passes(_cache), "cluster": required["database"] and _passes(_cluster)}
    if not all(required.values()):
        status = "unavailable"
    else:
        status = "ok" if all(optional.values()) else "degraded"
    checks = {name: "ok" if passed else "failed" for name, passed in (required | optional).items()}
    named = {"checks": checks} if may_monitor(request) else {}
    return JsonResponse({"status": status, **named}, status=503 if status == "unavailable" else 200)


def _passes(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:
        logger.warning("readyz.failed", extra={"check": check.__name__}, exc_info=True)
        return False


def _database() -> bool:
    """Return whether the database takes changes: after a fail-over, in a new session."""
    if _is_writable():
        return True
    connection.close()
    return _is_writable()


class _TakenBack(Exception):
    """Rolls the row of a look back."""


def _is_writable() -> bool:
    """Write a row and take it back; return whether that works, and others' commits end.

    After one that worked, none is written for a second: anybody may ask as often as he likes.
    """
    global _written_at
    if time.monotonic() - _written_at < WRITE_EVERY:
        return True
    try:
        with lock_limit.atomic(lock_seconds=1.0):
            CacheEntry.objects.create(cache_key=f"readyz:{uuid4()}", expires=timezone.now())
            raise _TakenBack
    except _TakenBack:
        pass
    except Locked:  # by somebody who empties or vacuums the table
        logger.warning("readyz.locked")
    except Error:
        logger.warning("readyz.not_writable", exc_info=True)
        return False
    if _commits_wait():
        logger.warning("readyz.commits_wait")
        return False
    _written_at = time.monotonic()
    return True


def _commits_wait() -> bool:
    """Return whether commits have waited for a synchronous stand-by, which is away, for seconds."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'SyncRep'"
            " AND query_start < clock_timestamp() - %s * interval '1 s')",
            [COMMIT_SECONDS],
        )
        return bool(cursor.fetchone()[0])


def _migrations() -> bool:
    """Return whether every migration of this code is applied; a positive result is cached."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def _cache() -> bool:
    key = f"readyz:{uuid4()}"  # what an earlier look wrote can be read when nothing can be written
    cache.set(key, "ok", 10)
    return cache.get(key) == "ok"


def _cluster() -> bool:
    seen = ClusterBeat.objects.filter(seen_at__gte=timezone.now() - SEEN_WITHIN)
    return set(seen.values_list("queue", flat=True)) >= set(QUEUES)
