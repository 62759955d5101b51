"""Staff's view of rules."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from merchants.admin.merchants import UNPUBLISHED, DraftAdmin
from merchants.models import Rule
from pave.core.database import advisory_locks
from pave.staff.templatetags.staff import ago, pill


@admin.register(Rule)
class RuleAdmin(DraftAdmin):
    navigation_place = 4
    purpose = f"Decisions that precede the catalogue, as part of the draft: {UNPUBLISHED}"
    list_display = (
        "rule",
        "leads_to",
        "conditions",
        "priority",
        "state",
        "hits",
        "changed",
        "note",
    )
    list_filter = ("active", "kind")
    list_select_related = ("merchant",)
    search_fields = ("pattern", "merchant__name", "note")
    search_help_text = "Part of the pattern, the merchant's name or the note."
    autocomplete_fields = ("merchant",)
    fieldsets = (
        (None, {"fields": ("opened_at", "kind", "pattern", "merchant", "active", "note")}),
        ("Only if", {"fields": ("mcc", "country", "intermediary")}),
        ("Before others", {"fields": ("priority",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return super().get_queryset(request).select_related("merchant")

    def save(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        super().save(request, obj, form, change)
        messages.info(request, f"The rule is in the draft. {UNPUBLISHED}")

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        advisory_locks.take(advisory_locks.Lock.DRAFT)
        super().delete_queryset(request, queryset)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        messages.info(request, f"The rule is removed from the draft. {UNPUBLISHED}")
        return super().response_delete(request, obj_display, obj_id)

    @admin.display(description="descriptor")
    def rule(self, rule: Rule) -> str:
        return str(rule)

    @admin.display(description="leads to")
    def leads_to(self, rule: Rule) -> str:
        return str(rule.merchant) if rule.merchant else "n/a: no merchant"

    @admin.display(description="only if")
    def conditions(self, rule: Rule) -> str:
        named = (("MCC", rule.mcc), ("in", rule.country), ("behind", rule.intermediary))
        return ", ".join(f"{name} {value}" for name, value in named if value)

    @admin.display(description="state")
    def state(self, rule: Rule) -> SafeString:
        return pill("active" if rule.active else "inactive")

    @admin.display(description="changed")
    def changed(self, rule: Rule) -> str:
        return ago(rule.updated_at)
