"""Staff's view of clients and their keys."""

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from pave.clients import keys
from pave.clients.models import ApiKey, Client
from pave.operations.admin_pages import ReadOnlyInline


def show_key(request: HttpRequest, key: ApiKey, secret: str) -> None:
    """Show a new key to the staff member who made it, this once."""
    messages.warning(
        request,
        format_html(
            "New key of {}: <code>{}</code>. Copy it now, it is not shown again.",
            key.client,
            secret,
        ),
    )


class ApiKeyInline(ReadOnlyInline):
    model = ApiKey
    fields = readonly_fields = (
        "prefix",
        "name",
        "created",
        "expiry_date",
        "revoked",
        "last_used_at",
    )


@admin.register(Client)
class ClientAdmin(admin.ModelAdmin):
    list_display = ("client_id", "name", "active", "live_keys", "created_at")
    list_filter = ("active",)
    search_fields = ("client_id", "name")
    readonly_fields = ("created_at",)
    inlines = [ApiKeyInline]
    actions = ["make_key"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        return (
            super()
            .get_queryset(request)
            .annotate(live_keys=Count("api_keys", filter=Q(api_keys__revoked=False)))
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Client | None = None) -> tuple:
        # The id stands in the client's own systems; a renamed one would be another client.
        return (*self.readonly_fields, "client_id") if obj else self.readonly_fields

    @admin.display(description="live keys", ordering="live_keys")
    def live_keys(self, client: Client) -> int:
        return client.live_keys  # type: ignore[attr-defined]

    @admin.action(description="Make an API key for the selected clients")
    def make_key(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        for client in queryset:
            show_key(request, *keys.issue(client=client, name=f"by {request.user}"))

    def save_model(self, request: HttpRequest, obj: Client, form: object, change: bool) -> None:
        super().save_model(request, obj, form, change)
        keys.forget_client(client=obj)


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    list_display = ("prefix", "client", "name", "created", "expiry_date", "revoked", "last_used_at")
    list_filter = ("revoked", "created")
    list_select_related = ("client",)
    search_fields = ("prefix", "name", "client__client_id", "client__name")
    autocomplete_fields = ("client",)
    fields = ("client", "name", "expiry_date", "prefix", "revoked", "created", "last_used_at")
    readonly_fields = ("prefix", "revoked", "created", "last_used_at")
    actions = ["rotate", "revoke"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple:
        return (*self.readonly_fields, "client") if obj else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        # A revoked key stays on record: it tells when it was last used.
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: object, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            keys.forget(prefix=obj.prefix)
        else:
            secret = ApiKey.objects.assign_key(obj)
            super().save_model(request, obj, form, change)
            show_key(request, obj, secret)

    @admin.action(description="Rotate: make a new key, revoke this one")
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.filter(revoked=False).select_related("client"):
            show_key(request, *keys.rotate(key=key))

    @admin.action(description="Revoke for good")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        live = list(queryset.filter(revoked=False))
        for key in live:
            keys.revoke(key=key)
        self.message_user(request, f"Revoked {len(live)} of {queryset.count()} selected keys.")
