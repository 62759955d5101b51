"""Staff's view of recoveries."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from pave.staff.global_search import as_uuid
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago, pill
from webhooks.delivery import recovery
from webhooks.models import Recovery


@admin.register(Recovery)
class RecoveryAdmin(ReadOnlyAdmin):
    navigation_place = 3
    purpose = "Jobs that send again what never succeeded. Start one on a webhook's page."
    list_display = ("begun", "webhook", "state", "total", "queued")
    list_filter = ("status",)
    list_select_related = ("webhook",)
    search_fields = ("id",)
    search_help_text = "The id of a recovery or of a webhook."
    show_form = False
    panels_above = ("webhooks/recovery_panels.html",)

    def search_indexed(self, queryset: QuerySet[Recovery], text: str) -> QuerySet[Recovery]:
        pk = as_uuid(text)
        if pk is None:
            return queryset.none()
        own = queryset.filter(pk=pk)
        return own if own.exists() else queryset.filter(webhook=pk)

    def status_of(self, obj: Recovery) -> SafeString:
        return pill(obj.status)

    def panel_context(self, request: HttpRequest, obj: Recovery) -> dict[str, Any]:
        return {"recovery": obj, **recovery.progress(obj)}

    @admin.display(description="begun")
    def begun(self, obj: Recovery) -> str:
        return ago(obj.created_at)

    @admin.display(description="status")
    def state(self, obj: Recovery) -> SafeString:
        return pill(obj.status)
