"""The hooks by which apps provide parts to the supervisor and the admin.

The supervisor and the admin may not import the apps, so they call the apps' configs.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.apps import AppConfig, apps
from django.http import HttpRequest


class PaveAppConfig(AppConfig):
    """The config of one of Pave's apps; every hook is optional.

    Hooks import what they need when they are called, since an app's modules cannot be imported yet
    when its config is.
    """

    def sweeps(self) -> Iterable[Callable[[], object]]:
        """Return what releases the claims of dead workers, and wakes workers for what is due.

        The supervisor calls each about once a second, whether or not the others fail.
        """
        return ()

    def requeue(self, worker: str) -> None:
        """Requeue what a dead worker had claimed.

        Args:
            worker: Its name, or its cluster's (``pave.operations.cluster.worker_names``).
        """

    def preload(self) -> None:
        """Load what all workers of a cluster share; called before the fork."""

    def gauges(self) -> Iterable[Any]:
        """Return the state of the app's tables (``pave.operations.monitoring.gauges.Gauge``)."""
        return ()

    def expiries(self, *, now: datetime, cutoff: datetime) -> Iterable[Any]:
        """Return the rows past their retention (``pave.operations.retention.Expiry``).

        Args:
            now: The present.
            cutoff: What ended before has expired.
        """
        return ()

    def dashboard(self, span: Any, now: datetime) -> Iterable[Any]:
        """Return what the admin's home page shows (``pave.staff.widgets.Part``).

        Args:
            span: The period that is shown (``pave.staff.widgets.Span``).
            now: The present.
        """
        return ()

    def client_panel(self, request: HttpRequest, client: Any) -> tuple[str, dict[str, Any]] | None:
        """Return a panel of a client's page: its template and context."""
        return None

    def search(self, text: str) -> Iterable[Any]:
        """Return what the admin's search finds (``pave.staff.widgets.SearchResult``)."""
        return ()


def pave_apps() -> list[PaveAppConfig]:
    """Return Pave's apps, each before those that import it."""
    return [config for config in apps.get_app_configs() if isinstance(config, PaveAppConfig)]
