from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db.backends.signals import connection_created

from pave.core import app_config, private_file
from pave.core.database import idle_limit


class OperationsConfig(app_config.PaveAppConfig):
    name = "pave.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        """Register checks, set up connections to the database, and start telemetry if it is set."""
        from pave.operations import checks  # noqa: F401 - they register themselves
        from pave.operations.cluster import db_retry
        from pave.operations.monitoring import telemetry

        connection_created.connect(db_retry.classify_lost_connections)
        connection_created.connect(idle_limit.limit_all)
        connection_created.connect(private_file.keep_private)
        telemetry.start()

    def sweeps(self) -> Iterable[Callable[[], object]]:
        from pave.operations import upkeep

        return [upkeep.sweep]

    def gauges(self) -> Iterable[Any]:
        from pave.operations.monitoring import gauges

        return gauges.cluster_gauges()

    def expiries(self, *, now: datetime, cutoff: datetime) -> Iterable[Any]:
        from pave.operations import retention

        return retention.own_expiries(now=now, cutoff=cutoff)

    def dashboard(self, span: Any, now: datetime) -> Iterable[Any]:
        from pave.operations import dashboard

        return dashboard.parts(span, now)
