"""What each app gives to the parts that know no app: the supervisor, the admin, the API's document.

These parts stand below the apps and may not import them, so they ask their configs.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.apps import AppConfig, apps
from django.http import HttpRequest


class PaveAppConfig(AppConfig):
    """An app of Pave's; by default it gives nothing.

    The methods import what they call when they are called: an app's modules cannot be imported yet
    where its config is.
    """

    def sweep(self) -> None:
        """Release what dead workers had claimed, and wake workers for what is due.

        The supervisor calls it about once a second.
        """

    def requeue(self, worker: str) -> None:
        """Put back what a dead worker had claimed.

        Args:
            worker: Its name, or its cluster's (``pave.operations.cluster.worker_names``).
        """

    def preload(self) -> None:
        """Load what all workers of a cluster share; called before they are forked."""

    def gauges(self) -> Iterable[Any]:
        """Return the state of the app's tables (``pave.operations.monitoring.gauges.Gauge``)."""
        return ()

    def expiries(self, *, now: datetime, cutoff: datetime) -> Iterable[Any]:
        """Return what has been kept long enough (``pave.operations.retention.Expiry``).

        Args:
            now: The present.
            cutoff: What ended before has been kept long enough.
        """
        return ()

    def dashboard(self, span: Any, now: datetime) -> Iterable[Any]:
        """Return what the admin's home page shows (``pave.staff.widgets.Part``).

        Args:
            span: The stretch of time that is shown (``pave.staff.widgets.Span``).
            now: The present.
        """
        return ()

    def client_panel(self, request: HttpRequest, client: Any) -> tuple[str, dict[str, Any]] | None:
        """Return a panel of a client's page: its template, and what that needs."""
        return None

    def search(self, text: str) -> Iterable[Any]:
        """Return what the admin's search finds (``pave.staff.widgets.SearchResult``)."""
        return ()

    def describe_routes(self) -> None:
        """Import the modules that describe the app's routes (``pave.api.openapi.registry``)."""


def pave_apps() -> list[PaveAppConfig]:
    """Return Pave's apps, each before those that stand on it."""
    return [config for config in apps.get_app_configs() if isinstance(config, PaveAppConfig)]
