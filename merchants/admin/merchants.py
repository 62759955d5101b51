"""Staff's view of merchants, with their aliases."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from merchants.catalogue import merge
from merchants.matching.categories import all_categories, primary_title
from merchants.models import Alias, Feedback, Merchant, Resolution
from pave.core.database import advisory_locks
from pave.staff.autocomplete import Autocomplete
from pave.staff.buttons import Refused, Result, button
from pave.staff.global_search import as_uuid
from pave.staff.model_admin import StaffAdmin
from pave.staff.templatetags.staff import pill

UNPUBLISHED = "It takes effect once the draft is published."


def merchant_field(**arguments: Any) -> forms.ModelChoiceField:
    """Return a field that suggests active merchants while the user types."""
    widget = Autocomplete(Feedback._meta.get_field("merchant"), admin.site)
    return forms.ModelChoiceField(Merchant.objects.filter(active=True), widget=widget, **arguments)


class MergeForm(forms.Form):
    """The form for a merge: the merchant that takes over."""

    into = merchant_field(label="Into")


class PrimaryFilter(admin.SimpleListFilter):
    """Merchants by the first level of their category."""

    title = "category"
    parameter_name = "primary"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        primaries = dict.fromkeys(category.primary for category in all_categories())
        return [(primary, primary_title(primary)) for primary in primaries] + [("none", "None")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Merchant]) -> QuerySet[Merchant]:
        if (value := self.value()) is None:
            return queryset
        words = [category.detailed for category in all_categories() if category.primary == value]
        return queryset.filter(category__in=words or [""])


class AliasInline(admin.TabularInline):
    model = Alias
    extra = 1


class DraftForm(forms.ModelForm):
    """A form for a row of the draft, which refuses to overwrite a concurrent change."""

    opened_at = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and not self.instance._state.adding:
            self.initial["opened_at"] = self.instance.updated_at.isoformat()

    def clean(self) -> dict[str, Any] | None:
        """Refuse to overwrite a change that was saved since the page was opened."""
        opened_at = self.initial.get("opened_at", "")
        if self.cleaned_data.get("opened_at") != opened_at:
            raise forms.ValidationError(
                "Somebody else has changed this since you opened the page. Nothing was saved: "
                "open it again."
            )
        return super().clean()


class DraftAdmin(StaffAdmin):
    """The pages of the draft's rows, which one staff member changes at a time."""

    form = DraftForm

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Wait for whoever changes or publishes the draft, and read the row after that."""
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        with transaction.atomic():
            advisory_locks.take(advisory_locks.Lock.DRAFT)
            return super().changeform_view(request, *args, **kwargs)

    def save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the form's own fields: others are written without the draft's lock."""
        if not change:
            obj.save()
            return
        fields = {field.name for field in obj._meta.concrete_fields} & set(form.fields)
        obj.save(update_fields=[*fields, "updated_at"])


@admin.register(Merchant)
class MerchantAdmin(DraftAdmin):
    navigation_place = 3
    purpose = (
        f"The catalogue that answers come from. A change here is made in the draft: {UNPUBLISHED} "
        "Clients who look a merchant up see it at once."
    )
    list_display = ("name", "state", "aliases_count", "category", "website")
    list_filter = ("active", PrimaryFilter)
    search_fields = ("name", "website", "aliases__text")
    search_help_text = "Part of a name, an alias or a domain; an id of Pave's or Wikidata's."
    fieldsets = (
        (None, {"fields": ("opened_at", "name", "website", "category", "active")}),
        ("Evidence", {"fields": ("mccs", "countries")}),
        ("Elsewhere", {"fields": ("wikidata", "logo_url", "websites")}),
    )
    inlines = [AliasInline]
    panels_above = ("merchants/merchant_state.html",)
    panels_below = ("merchants/merchant_use.html",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Merchant]:
        return (
            super().get_queryset(request).select_related("merged_into").prefetch_related("aliases")
        )

    def search_indexed(self, queryset: QuerySet[Merchant], text: str) -> QuerySet[Merchant]:
        if pk := as_uuid(text):
            return queryset.filter(pk=pk)
        aliases = Alias.objects.filter(text__icontains=text).order_by()
        return queryset.filter(
            Q(name__icontains=text)
            | Q(website__icontains=text)
            | Q(wikidata__iexact=text)
            | Q(pk__in=aliases.values("merchant"))
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Clients may have its id: an unwanted merchant is deactivated or merged instead.
        return False

    def status_of(self, obj: Merchant) -> SafeString:
        return pill("active" if obj.active else "inactive")

    def panel_context(self, request: HttpRequest, obj: Merchant) -> dict[str, Any]:
        return {
            "merchant": obj,
            "merged": list(obj.merged.all()[:20]),
            "rules": list(obj.rules.all()[:20]),
            "resolutions": list(Resolution.objects.filter(merchant=obj).order_by("-id")[:10]),
        }

    @admin.display(description="state")
    def state(self, merchant: Merchant) -> SafeString | str:
        if merchant.merged_into:
            return format_html("{} into {}", pill("merged"), merchant.merged_into)
        return pill("active" if merchant.active else "inactive")

    @admin.display(description="aliases")
    def aliases_count(self, merchant: Merchant) -> int:
        return len(merchant.aliases.all())

    @button(
        "Merge",
        permission="merchants.merge_merchant",
        form=MergeForm,
        confirmation="Let another merchant take over its aliases, rules and feedback. Its id "
        f"stays valid; it becomes inactive and points to its successor. {UNPUBLISHED} Clients who "
        "look a merchant up see it at once.",
        offered=lambda merchant: merchant.active,
    )
    def merge(self, request: HttpRequest, merchant: Merchant, data: dict) -> Result:
        try:
            gained = merge.merge(merchant=merchant, into=data["into"])
        except merge.CannotMerge as error:
            raise Refused(str(error)) from error
        return f"Merged into {data['into']}, which gained {gained} aliases. {UNPUBLISHED}"
