"""A client's requests and use, on its page."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from merchants.models import NormalizationRequest
from merchants.requests import usage
from pave.clients.models import Client

SHOWN = 10


def panel(request: HttpRequest, client: Client) -> tuple[str, dict[str, Any]]:
    """Return the template and the context of the panel."""
    requests = NormalizationRequest.objects.for_client(client).select_related(
        "client", "resolution"
    )
    failed = requests.filter(status=NormalizationRequest.Status.FAILED)
    return "merchants/client_requests.html", {
        "recent_requests": list(requests[:SHOWN]),
        "failed_requests": list(failed[:SHOWN]),
        "month": usage.counts(client, now=timezone.now()),
    }
