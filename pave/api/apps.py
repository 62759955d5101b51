from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pave.core import app_config


class ApiConfig(app_config.PaveAppConfig):
    name = "pave.api"
    label = "api"
    verbose_name = "API"

    def expiries(self, *, now: datetime, cutoff: datetime) -> Iterable[Any]:
        from pave.api import retention

        return retention.expiries(now=now, cutoff=cutoff)
