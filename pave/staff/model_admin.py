"""Base classes of the admin pages of all apps."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from pave.staff import audit
from pave.staff.autocomplete import Autocomplete
from pave.staff.button_views import ButtonsMixin
from pave.staff.row_keys import can_be_key


class CappedPaginator(Paginator):
    """Pages of a list that may have millions of rows: it counts no further than to ``CAP``."""

    CAP = 10_000

    @cached_property
    def count(self) -> int:
        """The number of rows, capped."""
        return min(self._counted, self.CAP)

    @property
    def is_capped(self) -> bool:
        """Whether there are more."""
        return self._counted > self.CAP

    @cached_property
    def _counted(self) -> int:
        if isinstance(self.object_list, QuerySet):
            return self.object_list.order_by()[: self.CAP + 1].count()
        return len(self.object_list)


class StaffAdmin(ButtonsMixin, admin.ModelAdmin):
    """A model's pages: list, object page with panels and buttons, audit trail."""

    paginator = CappedPaginator
    show_full_result_count = False
    empty_value_display = ""
    list_per_page = 50
    list_max_show_all = 0
    # Ordering by other columns than the indexed ones would read the whole table.
    sortable_by = ()
    # Panels, which are templates, above and below the form of an object's page.
    panels_above: Sequence[str] = ()
    panels_below: Sequence[str] = ()
    # Whether the object page has Django's form, or only panels.
    show_form = True
    # Whether an object's page shows what somebody has paid: who opens one is on record.
    shows_transaction = False
    # A sentence about what the list shows.
    purpose = ""

    def panel_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Return what the panels of an object show."""
        return {}

    def status_of(self, obj: Any) -> str | SafeString:
        """Return what is shown beside the title of an object."""
        return ""

    def title_of(self, obj: Any) -> str:
        """Return what an object's page is called."""
        return str(obj)

    def search_indexed(self, queryset: QuerySet, text: str) -> QuerySet | None:
        """Return the rows that match ``text``, by an index; None: use Django's search."""
        return None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        text = search_term.strip()
        matching = self.search_indexed(queryset, text) if text else queryset
        if matching is None:
            return super().get_search_results(request, queryset, text)
        return matching, False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Return whether the list's own filters send such a look-up.

        Django's allows any column and any expression, so that hashes can be guessed bit by bit.
        """
        if lookup in {getattr(each, "parameter_name", None) for each in self.list_filter}:
            return True
        name, _, kind = lookup.partition("__")
        if name not in self.list_filter:
            return False
        is_relation = self.opts.get_field(name).is_relation
        return kind in (("id__exact", "isnull") if is_relation else ("", "exact", "isnull"))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = Autocomplete(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def selected_keys(self, selected: Sequence[str]) -> list[str]:
        """Return the primary keys of what is selected in a list, by its rows' ids in URLs."""
        return [key for key in selected if can_be_key(self.model, key)]

    # --- Pages ----------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if selected := request.POST.getlist(ACTION_CHECKBOX_NAME):
            form = request.POST.copy()
            form.setlist(ACTION_CHECKBOX_NAME, self.selected_keys(selected))
            request.POST = form  # type: ignore[assignment]  # ChangeList only reads it
        return super().changelist_view(request, {"purpose": self.purpose, **(extra_context or {})})

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Model | None = None,
    ) -> HttpResponse:
        if obj is not None and change:
            self.record_opening(request, obj)
            context |= {
                "panels_above": self.panels_above,
                "panels_below": self.panels_below,
                "show_form": self.show_form,
                "object_title": self.title_of(obj),
                "status": self.status_of(obj),
                "buttons": self.buttons_for(request, obj),
                "url_id": self.url_id(obj),
                "audit_entries": audit.of_object(obj).exclude(action=audit.OPENED)[:5],
                **self.panel_context(request, obj),
            }
        else:
            context |= {"show_form": True}
        return super().render_change_form(request, context, add, change, form_url, obj)

    def record_opening(self, request: HttpRequest, obj: Any) -> None:
        """Record that the request's user saw an object, if that shows what somebody has paid."""
        if self.shows_transaction:
            audit.record_opening(request, obj=obj)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.object_or_404(request, object_id)
        entries = self.get_paginator(request, audit.of_object(obj), 50)
        return TemplateResponse(
            request,
            "staff/history.html",
            {
                **self.admin_site.each_context(request),
                "title": "Audit trail",
                "subtitle": str(obj),
                "opts": self.opts,
                "object": obj,
                "back": self.object_url(obj),
                "page": entries.get_page(request.GET.get("p", 1)),
            },
        )

    # --- The audit trail, in the place of Django's own log ---------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        self.snapshot_before(request, obj if change else None)
        self.save(request, obj, form, change)

    def save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save what the form says; to be overridden where a service does that."""
        obj.save()

    def snapshot_before(self, request: HttpRequest, obj: Model | None) -> None:
        """Keep a snapshot of the row before it is changed."""
        before = type(obj)._base_manager.get(pk=obj.pk) if obj is not None else None
        fields = audit.snapshot(before) if before is not None else {}
        request.audit_before = fields  # type: ignore[attr-defined]  # kept with the request until it is saved

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Return what changed in the rows below the object's own."""
        changes: dict[str, list[str]] = {}
        for formset in formsets or ():
            name = formset.model._meta.verbose_name
            for created in formset.new_objects:
                changes[f"{name} added"] = ["", _joined(changes.get(f"{name} added"), str(created))]
            for deleted in formset.deleted_objects:
                key = f"{name} removed"
                changes[key] = [_joined(changes.get(key), str(deleted), 0), ""]
            for row in formset.initial_forms:
                for field in row.changed_data if row.instance.pk else ():
                    if field in row.initial and not audit.is_secret_name(field):
                        changes[f"{name} {row.instance.pk}: {field}"] = [
                            audit.as_text(row.initial[field]),
                            audit.as_text(row.cleaned_data.get(field)),
                        ]
        return changes

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        after = audit.snapshot(obj)
        changes = {name: ["", value] for name, value in after.items() if value} | message
        return audit.record(request, action="added", obj=obj, changes=changes)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        before = request.audit_before  # type: ignore[attr-defined]  # kept with the request until it is saved
        after = audit.snapshot(type(obj)._base_manager.get(pk=obj.pk))
        changes = audit.differences(before, after) | message
        return audit.record(request, action="changed", obj=obj, changes=changes)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            changes = {name: [value, ""] for name, value in audit.snapshot(obj).items() if value}
            audit.record(request, action="deleted", obj=obj, changes=changes)


class ReadOnlyAdmin(StaffAdmin):
    """Rows that Pave creates: staff can see but not change them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _joined(previous: list[str] | None, text: str, index: int = 1) -> str:
    return f"{previous[index]}, {text}" if previous else text
