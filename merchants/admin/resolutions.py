"""Staff's view of resolutions, the units of the heuristic's work."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from merchants.models import NormalizationRequest, Resolution
from pave.staff.global_search import as_uuid
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago, duration, pill

MOST = 1000
MOST_CLIENTS = 20


@admin.register(Resolution)
class ResolutionAdmin(ReadOnlyAdmin):
    navigation_place = 7
    purpose = (
        "The heuristic's work. Transactions with the same key share one resolution in each "
        "ruleset, so the heuristic runs once for all of them."
    )
    list_display = (
        "key",
        "state",
        "answer_name",
        "method",
        "confidence",
        "attempts",
        "run",
        "made",
    )
    list_filter = ("status",)
    search_fields = ("id",)
    search_help_text = "The id of a resolution, or its whole key."
    list_select_related = ("client",)
    show_form = False
    panels_above = ("merchants/resolution_panels.html",)

    def search_indexed(self, queryset: QuerySet[Resolution], text: str) -> QuerySet[Resolution]:
        pk = as_uuid(text)
        return queryset.filter(pk=pk) if pk else queryset.filter(key=text)

    def status_of(self, obj: Resolution) -> SafeString:
        return pill(obj.status)

    def panel_context(self, request: HttpRequest, obj: Resolution) -> dict[str, Any]:
        asked = NormalizationRequest.objects.filter(resolution=obj).order_by()
        count = asked[: MOST + 1].count()
        return {
            "resolution": obj,
            "waiters": obj.waiters.select_related("client")[:MOST_CLIENTS],
            "now": timezone.now(),
            "asked": f"more than {MOST:,}" if count > MOST else count,
        }

    @admin.display(description="status")
    def state(self, resolution: Resolution) -> SafeString:
        return pill(resolution.status)

    @admin.display(description="merchant")
    def answer_name(self, resolution: Resolution) -> str:
        return ((resolution.answer or {}).get("merchant") or {}).get("name", "")

    @admin.display(description="run")
    def run(self, resolution: Resolution) -> str:
        return duration(resolution.duration_ms)

    @admin.display(description="asked")
    def made(self, resolution: Resolution) -> str:
        return ago(resolution.created_at)
