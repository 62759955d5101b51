from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pave.core import app_config


class ClientsConfig(app_config.PaveAppConfig):
    name = "pave.clients"
    label = "clients"
    verbose_name = "Clients"

    def expiries(self, *, now: datetime, cutoff: datetime) -> Iterable[Any]:
        from pave.clients import retention

        return retention.expiries(now=now, cutoff=cutoff)

    def search(self, text: str) -> Iterable[Any]:
        from pave.clients import global_search

        return global_search.find(text)
