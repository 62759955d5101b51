"""The audit trail and the accounts of staff."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from pave.staff import audit
from pave.staff.model_admin import ReadOnlyAdmin, StaffAdmin
from pave.staff.models import AuditEntry
from pave.staff.templatetags.staff import local

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    purpose = (
        "Everything that staff did, newest first. It cannot be changed and contains no secret."
    )
    list_display = ("when", "username", "action", "object_link", "outcome")
    list_filter = ("model",)
    search_fields = ("username",)
    search_help_text = "A user name, or the id of an object."
    fields = ("when", "username", "action", "object_link", "changes_table", "detail", "address")
    readonly_fields = ("when", "object_link", "changes_table")

    def search_indexed(self, queryset: QuerySet, text: str) -> QuerySet:
        by_user = queryset.filter(username=text)
        return by_user if by_user.exists() else queryset.filter(object_id=text)

    @admin.display(description="when")
    def when(self, entry: AuditEntry) -> str:
        return local(entry.at)

    @admin.display(description="of which")
    def object_link(self, entry: AuditEntry) -> str:
        kind = entry.model.rpartition(".")[2]
        name = f"{kind} {entry.object_name}".strip()
        try:
            url = reverse(f"admin:{entry.model.replace('.', '_')}_change", args=[entry.object_id])
        except NoReverseMatch:
            return name
        return format_html('<a href="{}">{}</a>', url, name)

    @admin.display(description="outcome")
    def outcome(self, entry: AuditEntry) -> str:
        return entry.detail or ", ".join(list(entry.changes)[:6])

    @admin.display(description="before and after")
    def changes_table(self, entry: AuditEntry) -> str:
        return render_to_string("staff/changes.html", {"changes": entry.changes})


@admin.register(User)
class StaffUserAdmin(StaffAdmin, UserAdmin):
    """Accounts. Only superusers can create or change superusers."""

    purpose = "Accounts of staff. A person's roles are their groups; nothing else gives rights."
    list_display = ("username", "first_name", "last_name", "email", "role", "is_active")
    list_filter = ("is_active", "is_superuser", "groups")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "groups", "is_superuser")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Former accounts are deactivated instead, so that their audit entries keep their user.
        return False

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        if not hasattr(request, "audit_before"):  # the page to set a password
            return audit.record(request, action="set the password of", obj=obj)
        return super().log_change(request, obj, message)

    @admin.display(description="roles")
    def role(self, user: User) -> str:
        roles = ", ".join(group.name for group in user.groups.all())
        return "superuser" if user.is_superuser else roles or "none"


@admin.register(Group)
class RoleAdmin(StaffAdmin, GroupAdmin):
    purpose = "Roles. Pave provides viewer, support, matcher and admin."
