from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from pave.core import app_config


class WebhooksConfig(app_config.PaveAppConfig):
    name = "webhooks"
    verbose_name = "Webhooks"

    def sweeps(self) -> Iterable[Callable[[], object]]:
        from webhooks.delivery import housekeeping

        return [housekeeping.sweep]

    def requeue(self, worker: str) -> None:
        from webhooks.delivery import housekeeping

        housekeeping.requeue(worker=worker)

    def preload(self) -> None:
        from webhooks.delivery import dispatcher

        dispatcher.SLOTS.create()

    def gauges(self) -> Iterable[Any]:
        from webhooks import metrics

        return metrics.gauges()

    def expiries(self, *, now: datetime, cutoff: datetime) -> Iterable[Any]:
        from webhooks import retention

        return retention.expiries(now=now, cutoff=cutoff)

    def dashboard(self, span: Any, now: datetime) -> Iterable[Any]:
        from webhooks.admin import dashboard

        return dashboard.parts(span, now)

    def client_panel(self, request: HttpRequest, client: Any) -> tuple[str, dict[str, Any]]:
        from webhooks.admin import client_panel

        return client_panel.panel(request, client)

    def search(self, text: str) -> Iterable[Any]:
        from webhooks.admin import global_search

        return global_search.search(text)
