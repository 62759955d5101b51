"""Liveness of this process, and readiness of Pave."""

import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from django.core.cache import cache
from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from pave.core import clock
from pave.operations.cluster.wakeup import QUEUES
from pave.operations.models import CacheEntry, ClusterBeat
from pave.operations.monitoring.access import may_monitor

logger = logging.getLogger(__name__)

# A supervisor writes its clusters' heartbeats every five seconds.
SEEN_WITHIN = timedelta(seconds=30)

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


def _is_writable() -> bool:
    """Write a row and take it back."""
    try:
        with transaction.atomic():
            CacheEntry.objects.create(cache_key=f"readyz:{uuid4()}", expires=timezone.now())
            transaction.set_rollback(True)
    except Error:
        logger.warning("readyz.not_writable", exc_info=True)
        return False
    return True


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
