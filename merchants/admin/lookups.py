"""Finding requests by what callers read out, each by means of an index."""

from django.db.models import Q, QuerySet

from merchants.models import NormalizationRequest
from pave.clients.models import Client

# Up to so many are sorted by age; of more, the newest are found by going back through all.
_SORTABLE = 5000


def by_reference(text: str) -> QuerySet[NormalizationRequest]:
    """Return requests that clients call ``text``.

    The index begins with the client, so that every client is asked for; there are not many.
    """
    clients = list(Client.objects.order_by().values_list("pk", flat=True))
    return NormalizationRequest.objects.exclude(reference="").filter(
        client__in=clients, reference=text
    )


def by_descriptor(text: str) -> QuerySet[NormalizationRequest]:
    """Return requests whose description begins with ``text``, in capitals or as it is written."""
    spellings = dict.fromkeys((text, text.upper(), text.lower(), text.title()))
    condition = Q()
    for spelling in spellings:
        condition |= Q(description__startswith=spelling)
    found = NormalizationRequest.objects.filter(condition)
    ids = list(found.order_by().values_list("pk", flat=True)[: _SORTABLE + 1])
    if len(ids) <= _SORTABLE:
        return NormalizationRequest.objects.filter(pk__in=ids)
    return found
