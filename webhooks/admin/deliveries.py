"""Staff's view of deliveries: each with the evidence of its attempts."""

import shlex
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from pave.core import clock
from pave.staff.buttons import Refused, Result, button
from pave.staff.filters import ChosenFilter
from pave.staff.global_search import as_uuid
from pave.staff.model_admin import ReadOnlyAdmin
from pave.staff.templatetags.staff import ago, delivery_state
from webhooks.delivery import claims, manual
from webhooks.http.signing import MASK, signed_headers
from webhooks.models import Delivery, Webhook

RETRY = "webhooks.retry_delivery"
Status = Delivery.Status


class WebhookFilter(ChosenFilter):
    title = "webhook"
    parameter_name = "webhook__id__exact"

    def chosen(self, value: str) -> Webhook | None:
        pk = as_uuid(value)
        return Webhook.objects.filter(pk=pk).first() if pk else None


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    navigation_place = 1
    purpose = (
        "Each event on its way to each webhook. Statuses can be filtered; ids can be searched."
    )
    list_display = ("event_type", "state", "to", "attempts", "next_attempt", "made", "id")
    list_filter = (WebhookFilter, "status", "held_by")
    list_select_related = ("webhook", "event")
    search_fields = ("id",)
    search_help_text = "The id of a delivery, an event (webhook-id), a webhook, or a request."
    show_form = False
    shows_transaction = True
    panels_above = (
        "webhooks/delivery_state.html",
        "webhooks/delivery_attempts.html",
        "webhooks/delivery_message.html",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).defer("event__body")

    def search_indexed(self, queryset: QuerySet[Delivery], text: str) -> QuerySet[Delivery]:
        pk = as_uuid(text)
        if pk is None:
            return queryset.none()
        return queryset.filter(pk__in=ids_for(pk))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Delivery | None:
        pk = as_uuid(object_id)
        if pk is None:
            return None
        return Delivery.objects.select_related("event", "webhook__client").filter(pk=pk).first()

    def status_of(self, obj: Delivery) -> SafeString:
        return delivery_state(obj)

    def title_of(self, obj: Delivery) -> str:
        return obj.event.type

    def panel_context(self, request: HttpRequest, obj: Delivery) -> dict[str, Any]:
        body = bytes(obj.event.body)
        return {
            "delivery": obj,
            "webhook": obj.webhook,
            "attempts": list(obj.latest_attempts()),
            "body": body.decode("utf-8", "replace"),
            "body_length": len(body),
            "curl": curl(obj, body) if request.user.has_perm(RETRY) else "",
        }

    # --- The list -------------------------------------------------------------------------------

    @admin.display(description="event")
    def event_type(self, delivery: Delivery) -> str:
        return delivery.event.type

    @admin.display(description="status")
    def state(self, delivery: Delivery) -> SafeString:
        return delivery_state(delivery)

    @admin.display(description="to")
    def to(self, delivery: Delivery) -> str:
        return delivery.webhook.url

    @admin.display(description="next")
    def next_attempt(self, delivery: Delivery) -> str:
        return ago(delivery.next_attempt_at) if delivery.status == Status.PENDING else ""

    @admin.display(description="made")
    def made(self, delivery: Delivery) -> str:
        return ago(delivery.created_at)

    # --- Buttons --------------------------------------------------------------------------------

    @button(
        "Retry now",
        permission=RETRY,
        look="primary",
        offered=lambda delivery: (
            delivery.status not in (Status.CANCELED, Status.DELIVERING)
            and not delivery.webhook.deleted_at
        ),
        bulk="Retry now",
        confirmation="",
    )
    def retry(self, request: HttpRequest, delivery: Delivery, data: dict) -> Result:
        try:
            manual.retry(delivery_id=delivery.pk)
        except manual.InvalidState as error:
            raise Refused(str(error)) from error
        return "It is tried as soon as its webhook has capacity."

    @button(
        "Cancel",
        permission=RETRY,
        look="danger",
        confirmation="Cancel it? The webhook will not be notified of this event.",
        offered=lambda delivery: delivery.status in (Status.PENDING, Status.HELD),
        bulk="Cancel: never send",
    )
    def cancel(self, request: HttpRequest, delivery: Delivery, data: dict) -> Result:
        try:
            manual.cancel(delivery_id=delivery.pk)
        except manual.InvalidState as error:
            raise Refused(str(error)) from error
        return "Canceled; it will not be sent."


def ids_for(pk: UUID, limit: int = 500) -> list[UUID]:
    """Return the deliveries with an id, of their own or of their event, webhook or subject.

    One look-up for each, since no index serves all of them at once.
    """
    ids: list[UUID] = []
    for condition in (
        Q(pk=pk),
        Q(event=pk),
        Q(event__subject_id=pk),
        Q(webhook=pk),
    ):
        ids += (
            Delivery.objects.filter(condition).order_by("-id").values_list("pk", flat=True)[:limit]
        )
        if ids:
            return ids
    return ids


def curl(delivery: Delivery, body: bytes) -> str:
    """Return a command that repeats a delivery, signed now; good for about five minutes."""
    webhook = delivery.webhook
    secrets = claims.live_secrets(webhook, now=timezone.now())
    if not secrets:
        return ""
    headers = signed_headers(
        secrets=secrets,
        message_id=str(delivery.event_id),
        timestamp=int(clock.timestamp()),
        body=body,
    )
    own = dict.fromkeys(webhook.headers or {}, MASK)
    options = [("-H", f"{name}: {value}") for name, value in (own | headers).items()]
    options.append(("--data-binary", body.decode("utf-8", "replace")))
    # Without globs (-g): curl would expand brackets and braces of a client's URL.
    lines = [("curl", "-g", "-i", "-X", "POST", webhook.url), *options]
    return " \\\n  ".join(shlex.join(line) for line in lines)
