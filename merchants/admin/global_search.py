"""Requests, batches and merchants in the admin's global search."""

from collections.abc import Iterable, Iterator

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from merchants.admin import lookups
from merchants.models import Alias, Batch, Merchant, NormalizationRequest
from pave.staff.global_search import as_uuid
from pave.staff.templatetags.staff import spell
from pave.staff.widgets import SearchResult

MOST = 10


def find(text: str) -> Iterator[SearchResult]:
    """Yield requests by id, reference and descriptor; batches and merchants by id and name."""
    pk = as_uuid(text)
    if pk is not None:
        requests = NormalizationRequest.objects.filter(pk=pk)
        yield from _requests(requests.select_related("client"), exact=True)
        for batch in Batch.objects.filter(pk=pk).defer("errors"):
            yield SearchResult(
                "batch",
                str(batch.pk),
                reverse("admin:merchants_batch_change", args=[batch.pk]),
                "merchants.view_batch",
                str(batch),
                exact=True,
            )
        yield from _merchants(Merchant.objects.filter(pk=pk), exact=True)
        return
    called = lookups.by_reference(text).select_related("client").order_by("-id")[:MOST]
    yield from _requests(called, exact=True)
    aliases = Alias.objects.filter(text__icontains=text).order_by()
    named = Merchant.objects.filter(
        Q(name__icontains=text) | Q(website__icontains=text) | Q(pk__in=aliases.values("merchant"))
    )
    yield from _merchants(named.order_by("-active", "name")[:MOST])
    if len(text) > 2:
        described = lookups.by_descriptor(text).select_related("client").order_by("-id")[:MOST]
        yield from _requests(described)


def _requests(
    found: Iterable[NormalizationRequest], *, exact: bool = False
) -> Iterator[SearchResult]:
    now = timezone.now()
    for request in found:
        age = spell((now - request.created_at).total_seconds())
        yield SearchResult(
            "request",
            request.description,
            reverse("admin:merchants_normalizationrequest_change", args=[request.pk]),
            "merchants.view_normalizationrequest",
            f"{request.status}, of {request.client}, {age} ago",
            exact,
        )


def _merchants(found: Iterable[Merchant], *, exact: bool = False) -> Iterator[SearchResult]:
    for merchant in found:
        yield SearchResult(
            "merchant",
            merchant.name,
            reverse("admin:merchants_merchant_change", args=[merchant.pk]),
            "merchants.view_merchant",
            merchant.website or ("" if merchant.active else "inactive"),
            exact,
        )
