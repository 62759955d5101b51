"""Staff's view of events."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from pave.staff.global_search import as_uuid
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago
from webhooks.admin.webhook_page import attach_last_attempts
from webhooks.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    navigation_place = 2
    purpose = "What happened, with the bytes of its message. An event's id is its webhook-id."
    list_display = ("type", "client", "subject_id", "made", "id")
    list_select_related = ("client",)
    search_fields = ("id",)
    search_help_text = "The event's id (webhook-id), or the id of what it is about."
    show_form = False
    shows_transaction = True
    panels_above = ("webhooks/event_panels.html",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        queryset = super().get_queryset(request)
        match = request.resolver_match
        return queryset if match and "object_id" in match.kwargs else queryset.defer("body")

    def search_indexed(self, queryset: QuerySet[Event], text: str) -> QuerySet[Event]:
        pk = as_uuid(text)
        if pk is None:
            return queryset.none()
        own = queryset.filter(pk=pk)
        return own if own.exists() else queryset.filter(subject_id=pk)

    def panel_context(self, request: HttpRequest, obj: Event) -> dict[str, Any]:
        deliveries = list(obj.deliveries.select_related("event").defer("event__body"))
        attach_last_attempts(deliveries)
        return {
            "event": obj,
            "deliveries": deliveries,
            "body": bytes(obj.body).decode("utf-8", "replace"),
        }

    @admin.display(description="made")
    def made(self, event: Event) -> str:
        return ago(event.created_at)
