"""Staff's view of webhooks, deliveries and their attempts."""

import json

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from pave.operations.admin_pages import ReadOnlyAdmin, ReadOnlyInline
from webhooks import endpoints
from webhooks.addresses import AddressError
from webhooks.models import Delivery, DeliveryAttempt, Event, Webhook


class WebhookForm(forms.ModelForm):
    """What staff may set of a webhook by hand; the rest are actions."""

    class Meta:
        model = Webhook
        fields = ["client", "url", "description", "events", "max_in_flight"]

    def clean_url(self) -> str:
        """Refuse an address that may not be used, with the reason."""
        url: str = self.cleaned_data["url"]
        try:
            endpoints.address_policy().check_resolves(url)
        except AddressError as error:
            raise forms.ValidationError(str(error)) from error
        return url


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin):
    form = WebhookForm
    list_display = ("url", "client", "enabled", "disabled_by", "failing_since", "created_at")
    list_filter = ("enabled", "disabled_by")
    list_select_related = ("client",)
    search_fields = ("=id", "url", "description", "client__client_id", "client__name")
    autocomplete_fields = ("client",)
    readonly_fields = (
        "id",
        "enabled",
        "disabled_by",
        "disabled_at",
        "failing_since",
        "created_at",
    )
    fields = ("id", *WebhookForm.Meta.fields, *readonly_fields[1:])
    actions = ["enable", "disable", "rotate_secret"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        return super().get_queryset(request).filter(deleted_at=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> tuple:
        return (*self.readonly_fields, "client") if obj else self.readonly_fields

    def save_model(
        self, request: HttpRequest, obj: Webhook, form: WebhookForm, change: bool
    ) -> None:
        if change:
            endpoints.change(
                webhook=obj, fields={name: form.cleaned_data[name] for name in form.changed_data}
            )
            return
        made, secret = endpoints.create(**form.cleaned_data)
        obj.pk = made.pk
        obj._state.adding = False
        self._show_secret(request, made, secret)

    def delete_model(self, request: HttpRequest, obj: Webhook) -> None:
        endpoints.delete(webhook=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            endpoints.delete(webhook=webhook)

    @admin.action(description="Enable: release what is held")
    def enable(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        released = sum(endpoints.enable(webhook=webhook) for webhook in queryset)
        self.message_user(request, f"Enabled; {released} held deliveries are on their way.")

    @admin.action(description="Disable: hold deliveries")
    def disable(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        done = sum(
            endpoints.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF)
            for webhook in queryset
        )
        self.message_user(request, f"Disabled {done}; their deliveries are held.")

    @admin.action(description="Rotate the signing secret")
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for webhook in queryset:
            self._show_secret(request, webhook, endpoints.rotate_secret(webhook=webhook))

    def _show_secret(self, request: HttpRequest, webhook: Webhook, secret: str) -> None:
        messages.warning(
            request,
            format_html(
                "Signing secret of {}: <code>{}</code>. Copy it now, it is not shown again.",
                webhook.url,
                secret,
            ),
        )


class DeliveryInline(ReadOnlyInline):
    model = Delivery
    fields = readonly_fields = ("id", "webhook", "status", "attempts", "next_attempt_at")


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("id", "type", "client", "subject_id", "created_at")
    list_filter = ("type",)
    list_select_related = ("client",)
    search_fields = ("=id", "=subject_id")
    fields = ("id", "type", "client", "subject_id", "created_at", "message")
    readonly_fields = ("message",)
    inlines = [DeliveryInline]

    @admin.display(description="body")
    def message(self, event: Event) -> str:
        pretty = json.dumps(json.loads(bytes(event.body)), indent=2, ensure_ascii=False)
        return format_html("<pre>{}</pre>", pretty)


class AttemptInline(ReadOnlyInline):
    model = DeliveryAttempt
    show_change_link = False
    fields = readonly_fields = (
        "number",
        "trigger",
        "started_at",
        "duration_ms",
        "resolved_address",
        "status_code",
        "error",
        "detail",
        "response_head",
    )


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("id", "status", "event_type", "webhook", "attempts", "next_attempt_at")
    list_filter = ("status",)
    list_select_related = ("webhook", "event")
    search_fields = ("=id", "=event__id", "=event__subject_id")
    fields = (
        "id",
        "status",
        "webhook",
        "event",
        "attempts",
        "next_attempt_at",
        "created_at",
        "finished_at",
    )
    inlines = [AttemptInline]

    @admin.display(description="event", ordering="event__type")
    def event_type(self, delivery: Delivery) -> str:
        return delivery.event.type
