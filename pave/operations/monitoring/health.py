"""Whether this process lives, and whether Pave can do its work."""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from pave.operations.models import ClusterBeat

logger = logging.getLogger(__name__)

# A supervisor says every five seconds that its clusters are at work.
SEEN_WITHIN = timedelta(seconds=30)
QUEUES = {"quick", "heuristic"}

_migrated = False


@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """Answer that the process serves requests; asks nothing of anything else."""
    return JsonResponse({"status": "ok"})


@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer what of Pave's parts is there, each by name.

    503 without the database or with migrations missing: then nothing can be taken. Without the
    cache or a cluster Pave is slower, or answers later, and goes on taking requests: "degraded".
    """
    vital = {"database": _passes(_database)}
    vital["migrations"] = vital["database"] and _passes(_migrations)
    other = {"cache": _passes(_cache), "cluster": vital["database"] and _passes(_cluster)}
    if not all(vital.values()):
        status = "unavailable"
    else:
        status = "ok" if all(other.values()) else "degraded"
    checks = {name: "ok" if passed else "failed" for name, passed in (vital | other).items()}
    return JsonResponse(
        {"status": status, "checks": checks}, status=503 if status == "unavailable" else 200
    )


def _passes(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:
        logger.warning("readyz.failed check=%s", check.__name__, exc_info=True)
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _migrations() -> bool:
    """Return whether every migration of this code is applied; once it is so, without a look."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def _cache() -> bool:
    cache.set("readyz", "ok", 10)
    return cache.get("readyz") == "ok"


def _cluster() -> bool:
    seen = ClusterBeat.objects.filter(seen_at__gte=timezone.now() - SEEN_WITHIN)
    return set(seen.values_list("queue", flat=True)) >= QUEUES
