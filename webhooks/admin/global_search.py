"""The search for webhooks, deliveries and events."""

from collections.abc import Iterator

from django.urls import reverse

from pave.staff.global_search import as_uuid
from pave.staff.widgets import SearchResult
from webhooks.models import Delivery, Event, Webhook

MAX_RESULTS = 10


def search(text: str) -> Iterator[SearchResult]:
    """Yield webhooks by id or part of their URL, and deliveries and events by id."""
    pk = as_uuid(text)
    if pk is None:
        if "." in text or "/" in text or ":" in text:
            urls = Webhook.objects.select_related("client").filter(url__icontains=text)
            yield from (_webhook(webhook) for webhook in urls[:MAX_RESULTS])
        return
    if webhook := Webhook.objects.select_related("client").filter(pk=pk).first():
        yield _webhook(webhook, exact=True)
    elif delivery := Delivery.objects.select_related("webhook").filter(pk=pk).first():
        yield SearchResult(
            "delivery",
            str(delivery.pk),
            reverse("admin:webhooks_delivery_change", args=[delivery.pk]),
            "webhooks.view_delivery",
            f"{delivery.status}, to {delivery.webhook.url}",
            exact=True,
        )
    elif event := Event.objects.defer("body").filter(pk=pk).first():
        yield SearchResult(
            "event",
            f"{event.type} {event.pk}",
            reverse("admin:webhooks_event_change", args=[event.pk]),
            "webhooks.view_event",
            exact=True,
        )


def _webhook(webhook: Webhook, *, exact: bool = False) -> SearchResult:
    return SearchResult(
        "webhook",
        webhook.url,
        reverse("admin:webhooks_webhook_change", args=[webhook.pk]),
        "webhooks.view_webhook",
        f"of {webhook.client}",
        exact,
    )
