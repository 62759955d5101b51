from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from pave.core import app_config


class MerchantsConfig(app_config.PaveAppConfig):
    name = "merchants"
    verbose_name = "Merchants"

    def sweeps(self) -> Iterable[Callable[[], object]]:
        from merchants.requests import admission, batches, cancellation, revision
        from merchants.requests.resolutions import attempts

        return [part.sweep for part in (admission, cancellation, batches, attempts, revision)]

    def requeue(self, worker: str) -> None:
        from merchants.requests import admission_claims, revision
        from merchants.requests.resolutions import attempts

        for part in (admission_claims, attempts, revision):
            part.requeue(worker=worker)

    def preload(self) -> None:
        from merchants.catalogue import rulesets
        from merchants.requests import admission
        from pave.core.caching.loading import load_at_start

        admission.SLOTS.create()
        rulesets.heuristic_for(rulesets.current().number)
        load_at_start()

    def gauges(self) -> Iterable[Any]:
        from merchants import metrics

        return metrics.gauges()

    def expiries(self, *, now: datetime, cutoff: datetime) -> Iterable[Any]:
        from merchants import retention

        return retention.expiries(now=now, cutoff=cutoff)

    def dashboard(self, span: Any, now: datetime) -> Iterable[Any]:
        from merchants.admin import dashboard

        return dashboard.parts(span, now)

    def client_panel(self, request: HttpRequest, client: Any) -> tuple[str, dict[str, Any]]:
        from merchants.admin import client_panel

        return client_panel.panel(request, client)

    def search(self, text: str) -> Iterable[Any]:
        from merchants.admin import global_search

        return global_search.find(text)
