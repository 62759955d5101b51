"""The state of a webhook, as a word and a filter."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from webhooks.models import Webhook


class StateFilter(admin.SimpleListFilter):
    """Filters webhooks by state."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("disabled", "disabled"),
            ("failing", "failing"),
            ("paused", "breaker open"),
            ("well", "doing well"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> QuerySet[Webhook]:
        match self.value():
            case "disabled":
                return queryset.filter(enabled=False)
            case "failing":
                return queryset.filter(enabled=True).exclude(failing_since=None)
            case "paused":
                return queryset.filter(enabled=True).exclude(breaker_opened_at=None)
            case "well":
                return queryset.filter(enabled=True, failing_since=None, breaker_opened_at=None)
        return queryset


def state_of(webhook: Webhook) -> str:
    """Return the state of a webhook as a word."""
    if webhook.deleted_at:
        return "deleted"
    if not webhook.enabled:
        return "disabled"
    if webhook.breaker != "closed":
        return "open breaker" if webhook.breaker == "open" else webhook.breaker
    return "failing" if webhook.failing_since else "enabled"
