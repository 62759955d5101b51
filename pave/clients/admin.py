"""Staff's view of clients and their keys."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from pave.clients import activation, api_keys, quotas
from pave.clients.models import ApiKey, Client
from pave.core.app_config import pave_apps
from pave.staff.button_views import shown_once
from pave.staff.buttons import Refused, Result, button
from pave.staff.model_admin import StaffAdmin
from pave.staff.templatetags.staff import ago, pill

logger = logging.getLogger(__name__)


class KeyForm(forms.Form):
    """The form for a new key."""

    name = forms.CharField(
        max_length=50,
        label="Name of the key",
        initial="default",
        help_text="What it is for, such as “production” or “Anna's laptop”.",
    )


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except (api_keys.Erasing, api_keys.Revoked) as error:
        raise Refused(str(error)) from error


def client_state(client: Client) -> str:
    """Return a client's state: active, inactive or being erased."""
    if client.erasing:
        return "being erased"
    return "active" if client.active else "inactive"


def key_state(key: ApiKey) -> str:
    """Return a key's state: live, revoked or expired."""
    if key.revoked:
        return "revoked"
    return "expired" if key.has_expired else "live"


@admin.register(Client)
class ClientAdmin(StaffAdmin):
    navigation_place = 0
    purpose = "Who sends transactions. A client's page has its keys, webhooks, requests and limits."
    list_display = ("client_id", "name", "state", "live_keys", "quota", "made")
    list_filter = ("active",)
    search_fields = ("client_id", "name")
    search_help_text = "Part of its id or name."
    fieldsets = (
        (None, {"fields": ("client_id", "name", "contact_email", "notes")}),
        ("Limits", {"fields": ("requests_per_minute", "burst", "monthly_quota", "share")}),
    )
    panels_above = ("clients/client_keys.html",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        return (
            super()
            .get_queryset(request)
            .annotate(live_keys=Count("api_keys", filter=Q(api_keys__revoked=False)))
            .order_by("client_id")
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> tuple:
        # Clients' own systems use the id, so it cannot be changed.
        return ("client_id",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Deleting a client would delete its requests; former clients are deactivated instead.
        return False

    def status_of(self, obj: Client) -> SafeString:
        return pill(client_state(obj))

    def panel_context(self, request: HttpRequest, obj: Client) -> dict[str, Any]:
        now = timezone.now()
        may_change = request.user.has_perm("clients.change_apikey")
        context: dict[str, Any] = {
            "client": obj,
            "keys": [
                {"key": key, "state": key_state(key), "may_change": may_change and not key.revoked}
                for key in obj.api_keys.order_by("revoked", "-created")[:20]
            ],
            "quota_used": quotas.used(client=obj, now=now)
            if obj.monthly_quota is not None
            else None,
        }
        panels = list(self.panels_above)
        for template, more in filter(None, (app.client_panel(request, obj) for app in pave_apps())):
            panels.append(template)
            context |= more
        return context | {"panels_above": panels}

    def save(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        if change:
            # Not its key, which the client's posts lock when they have been counted.
            if not Client.objects.select_for_update(no_key=True).filter(pk=obj.pk).exists():
                raise Http404  # erased meanwhile
            # Whether it is active is changed by buttons.
            obj.save(update_fields=form.changed_data)
            if form.initial.get("monthly_quota") is None:
                quotas.begin_anew(client=obj, now=timezone.now())
        else:
            obj.save()
        api_keys.drop_cached_keys(client=obj)
        changed = sorted(form.changed_data)
        logger.info("client.changed", extra={"client": obj.client_id, "changed": changed})

    @admin.display(description="state", ordering="active")
    def state(self, client: Client) -> SafeString:
        return pill(client_state(client))

    @admin.display(description="live keys")
    def live_keys(self, client: Client) -> int:
        return client.live_keys  # type: ignore[attr-defined]  # annotated by get_queryset

    @admin.display(description="quota a month")
    def quota(self, client: Client) -> str:
        return f"{client.monthly_quota:,}" if client.monthly_quota is not None else "none"

    @admin.display(description="made")
    def made(self, client: Client) -> str:
        return ago(client.created_at)

    @button(
        "Make a key",
        permission="clients.add_apikey",
        form=KeyForm,
        look="primary",
        offered=lambda client: not client.erasing,
        changes=(),
    )
    def make_key(self, request: HttpRequest, client: Client, data: dict) -> Result:
        with _refused():
            key, secret = api_keys.issue(client=client, name=data["name"])
        return show_key(self, request, client, key, secret)

    # Not in the form, where a page that was opened before would undo it.
    @button(
        "Deactivate",
        permission="clients.change_client",
        look="danger",
        confirmation="Refuse its calls? In a second from now, all its keys get 401. "
        "What it has sent is answered all the same.",
        offered=lambda client: client.active,
        changes=("active",),
    )
    def deactivate(self, request: HttpRequest, client: Client, data: dict) -> Result:
        with _refused():
            activation.deactivate(client=client)
        return "Deactivated; its calls get 401."

    @button(
        "Activate",
        permission="clients.change_client",
        confirmation="Accept its calls again?",
        offered=lambda client: not client.active and not client.erasing,
        changes=("active",),
    )
    def activate(self, request: HttpRequest, client: Client, data: dict) -> Result:
        with _refused():
            activation.activate(client=client)
        return "Active; its keys are accepted."


class KeyList(ChangeList):
    """Pages contain a key's prefix, since its primary key holds the hash."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_popup = False  # whose links have the primary key

    def url_for_result(self, result: Any) -> str:
        return reverse("admin:clients_apikey_change", args=[result.prefix])


@admin.register(ApiKey)
class ApiKeyAdmin(StaffAdmin):
    navigation_place = 1
    purpose = "Clients' keys. Only a hash is stored; create new ones on a client's page."
    list_display = ("prefix", "client", "name", "state", "made", "expiry_date", "last_used")
    list_filter = ("revoked",)
    list_select_related = ("client",)
    search_fields = ("prefix",)
    search_help_text = "The beginning of the key, or its client's id or name."
    fields = readonly_fields = ("client", "name", "prefix", "expiry_date", "created", "last_used")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeyList

    def url_id(self, obj: ApiKey) -> str:
        return obj.prefix

    def action_checkbox(self, obj: ApiKey) -> SafeString:
        checkbox: SafeString = super().action_checkbox(obj)
        shown = checkbox.replace(conditional_escape(obj.pk), obj.prefix)
        return mark_safe(shown)  # noqa: S308 - Django's, with a prefix of Pave's own making

    def selected_keys(self, selected: Sequence[str]) -> list[str]:
        prefixes = [prefix for prefix in selected if "\0" not in prefix]
        return list(self.model.objects.filter(prefix__in=prefixes).values_list("pk", flat=True))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ApiKey | None:
        # PostgreSQL has no text with a NUL, and fails for one.
        prefix = object_id.replace("\0", "")
        return self.get_queryset(request).filter(prefix=prefix).select_related("client").first()

    def search_indexed(self, queryset: QuerySet[ApiKey], text: str) -> QuerySet[ApiKey]:
        return queryset.filter(
            Q(prefix=text.partition(".")[0][:8])
            | Q(client__client_id__iexact=text)
            | Q(client__name__icontains=text)
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # A revoked key stays on record with the time of its last use.
        return False

    def status_of(self, obj: ApiKey) -> SafeString:
        return pill(key_state(obj))

    @admin.display(description="state")
    def state(self, key: ApiKey) -> SafeString:
        return pill(key_state(key))

    @admin.display(description="made")
    def made(self, key: ApiKey) -> str:
        return ago(key.created)

    @admin.display(description="last used")
    def last_used(self, key: ApiKey) -> str:
        return ago(key.last_used_at) or "never"

    @button(
        "Rotate",
        permission="clients.change_apikey",
        confirmation="Make a new key of the same name, and revoke this one?",
        offered=lambda key: not key.revoked,
    )
    def rotate(self, request: HttpRequest, key: ApiKey, data: dict) -> Result:
        with _refused():
            replacement, secret = api_keys.rotate(key=key)
        return show_key(self, request, key.client, replacement, secret)

    @button(
        "Revoke",
        permission="clients.change_apikey",
        look="danger",
        confirmation="Revoke it for good? In a second from now, calls with it get 401.",
        offered=lambda key: not key.revoked,
        bulk="Revoke for good",
    )
    def revoke(self, request: HttpRequest, key: ApiKey, data: dict) -> Result:
        with _refused():
            api_keys.revoke(key=key)
        return "Revoked; in a second at most, nobody accepts it."


def show_key(
    model_admin: StaffAdmin, request: HttpRequest, client: Client, key: ApiKey, secret: str
) -> HttpResponse:
    """Show a new key to the staff member who created it; it is not shown again."""
    response = shown_once(
        request,
        model_admin=admin.site.get_model_admin(Client),
        obj=client,
        what="New API key",
        secret=secret,
        note=f"It is called “{key.name}” and begins with {key.prefix}.",
    )
    response.audit_detail = f"key {key.prefix}, shown once"  # type: ignore[attr-defined]  # read by button_views
    return response
