"""Staff's view of merchants, requests and how they were answered."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from merchants.models import Alias, Merchant, NormalizationRequest, Resolution, Ruleset
from pave.operations.admin_pages import ReadOnlyAdmin


class AliasInline(admin.TabularInline):
    model = Alias
    extra = 1


@admin.register(Merchant)
class MerchantAdmin(admin.ModelAdmin):
    list_display = ("name", "category", "website", "active")
    list_filter = ("active",)
    search_fields = ("name", "website", "aliases__text", "=wikidata")
    fields = (
        "name",
        "website",
        "wikidata",
        "mccs",
        "countries",
        "category",
        "logo_url",
        "active",
    )
    inlines = [AliasInline]
    show_full_result_count = False


@admin.register(Ruleset)
class RulesetAdmin(admin.ModelAdmin):
    """Adding a ruleset publishes the catalogue as it now is."""

    list_display = ("number", "note", "published_at")
    fields = ("note",)

    def has_change_permission(self, request: HttpRequest, obj: Ruleset | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Ruleset | None = None) -> bool:
        return False


@admin.register(Resolution)
class ResolutionAdmin(ReadOnlyAdmin):
    list_display = ("key", "status", "method", "confidence", "merchant", "attempts", "duration_ms")
    list_filter = ("status", "method")
    list_select_related = ("merchant",)
    search_fields = ("=id", "key__startswith")


@admin.register(NormalizationRequest)
class NormalizationRequestAdmin(ReadOnlyAdmin):
    list_display = ("description", "client", "status", "answer", "created_at", "completed_at")
    list_filter = ("status",)
    list_select_related = ("client", "resolution")
    search_fields = ("=id", "=reference")

    def get_queryset(self, request: HttpRequest) -> QuerySet[NormalizationRequest]:
        return super().get_queryset(request).select_related("client", "resolution")

    @admin.display(description="merchant")
    def answer(self, request: NormalizationRequest) -> str:
        if request.resolution and request.resolution.answer:
            return request.resolution.answer["merchant"]["name"]
        return ""
