"""Staff's view of events, deliveries and their attempts."""

import json

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from pave.operations.admin_pages import ReadOnlyAdmin, ReadOnlyInline
from webhooks import retrying
from webhooks.models import Delivery, DeliveryAttempt, Event


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
        "timings",
        "resolved_address",
        "status_code",
        "error",
        "detail",
        "request_headers",
        "response_headers",
        "response_head",
    )


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("id", "status", "event_type", "webhook", "attempts", "next_attempt_at")
    list_filter = ("status", "held_by", "trigger")
    list_select_related = ("webhook", "event")
    search_fields = ("=id", "=event__id", "=event__subject_id", "=webhook__id")
    fields = (
        "id",
        "status",
        "held_by",
        "webhook",
        "event",
        "attempts",
        "trigger",
        "next_attempt_at",
        "recovery",
        "created_at",
        "finished_at",
    )
    inlines = [AttemptInline]
    actions = ["retry_now"]

    @admin.display(description="event", ordering="event__type")
    def event_type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.action(description="Retry now", permissions=["retry"])
    def retry_now(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        done = 0
        for delivery in queryset:
            try:
                retrying.retry(delivery_id=delivery.pk)
            except retrying.NotNow as error:
                self.message_user(request, f"{delivery.pk}: {error}", messages.WARNING)
            else:
                done += 1
        self.message_user(
            request, f"{done} deliveries are tried as soon as their webhook has room."
        )

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may retry: the rows themselves are changed by nobody."""
        return request.user.has_perm("webhooks.change_delivery")
