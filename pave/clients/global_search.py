"""Clients and API keys in the admin's global search."""

from collections.abc import Iterator

from django.db.models import Q
from django.urls import reverse

from pave.clients.models import ApiKey, Client
from pave.staff.widgets import SearchResult

MAX_RESULTS = 10


def find(text: str) -> Iterator[SearchResult]:
    """Yield clients by id or name, and keys by their beginning."""
    clients = Client.objects.filter(Q(client_id__iexact=text) | Q(name__icontains=text))
    for client in clients[:MAX_RESULTS]:
        yield SearchResult(
            "client",
            str(client),
            reverse("admin:clients_client_change", args=[client.pk]),
            "clients.view_client",
            exact=client.client_id == text,
        )
    prefix = text.partition(".")[0]
    if len(prefix) == 8 and prefix.isalnum():
        for key in ApiKey.objects.select_related("client").filter(prefix=prefix):
            yield SearchResult(
                "API key",
                f"{key.prefix}… ({key.name})",
                reverse("admin:clients_apikey_change", args=[key.prefix]),
                "clients.view_apikey",
                f"of {key.client}",
                exact=True,
            )
