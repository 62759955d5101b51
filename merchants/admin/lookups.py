"""Finds requests by reference or descriptor, each by an index."""

from django.db.models import Q, QuerySet

from merchants.models import NormalizationRequest
from pave.clients.models import Client

# Up to this many are sorted by age; of more, PostgreSQL scans backwards for the newest.
_SORTABLE = 5000


def by_reference(text: str) -> QuerySet[NormalizationRequest]:
    """Return requests with the reference ``text``, of any client.

    The index begins with the client, so every client is looked up; there are not many.
    """
    clients = list(Client.objects.order_by().values_list("pk", flat=True))
    return NormalizationRequest.objects.exclude(reference="").filter(
        client__in=clients, reference=text
    )


def by_descriptor(text: str) -> QuerySet[NormalizationRequest]:
    """Return requests whose description begins with ``text``, in capitals or as it is typed."""
    spellings = dict.fromkeys((text, text.upper(), text.lower(), text.title()))
    condition = Q()
    for spelling in spellings:
        condition |= Q(description__startswith=spelling)
    matches = NormalizationRequest.objects.filter(condition)
    ids = list(matches.order_by().values_list("pk", flat=True)[: _SORTABLE + 1])
    if len(ids) <= _SORTABLE:
        return NormalizationRequest.objects.filter(pk__in=ids)
    return matches
