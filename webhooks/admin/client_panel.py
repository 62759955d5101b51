"""A client's webhooks, on its page."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from pave.clients.models import Client
from pave.operations.models import Tally
from pave.staff.svg_charts import percent_text
from pave.staff.widgets import SPANS
from webhooks.admin.webhook_page import capped_count
from webhooks.models import Delivery, Webhook

SHOWN = 20


def panel(request: HttpRequest, client: Client) -> tuple[str, dict[str, Any]]:
    """Return the template and the context of the panel."""
    webhooks = list(Webhook.objects.for_client(client).order_by("enabled", "id")[:SHOWN])
    since = SPANS["day"].times(timezone.now())[0]
    attempts_by_webhook: dict[str, dict[str, int]] = {}
    for subject, label, count in Tally.objects.filter(
        name="webhook_attempts",
        at__gte=since,
        subject__in=[str(webhook.pk) for webhook in webhooks],
    ).values_list("subject", "label", "count"):
        labels = attempts_by_webhook.setdefault(subject, {})
        labels[label] = labels.get(label, 0) + count
    rows = []
    for webhook in webhooks:
        labels = attempts_by_webhook.get(str(webhook.pk), {})
        attempts = sum(labels.values())
        rows.append(
            {
                "webhook": webhook,
                "tried": attempts,
                "success": percent_text(labels.get("ok", 0) / attempts) if attempts else "–",
                "held": ""
                if webhook.enabled
                else capped_count(Delivery.objects.held().filter(webhook=webhook)),
            }
        )
    may_add = request.user.has_perm("webhooks.add_webhook")
    return "webhooks/client_webhooks.html", {"webhook_rows": rows, "may_add_webhook": may_add}
