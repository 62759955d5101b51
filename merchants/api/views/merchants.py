"""The catalogue, as clients see it."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.response import Response

from merchants.api.representations import MerchantSerializer, merchant_object
from merchants.api.serializers import MerchantQuery
from merchants.models import Alias, Merchant
from pave.api.openapi.schema import operation
from pave.api.pagination import ByName
from pave.api.query_params import read_query
from pave.api.throttling import limit_errors
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest
from pave.core.concurrency import ConcurrencyLimit

# A search reads the whole catalogue.
_SEARCHES = ConcurrencyLimit(
    limit=4,
    per_client=2,
    busy="Two searches of yours are in progress. Send this one when one is answered.",
    full="Too many searches are in progress. Try again in a moment.",
)
_SHOWN = Merchant.objects.filter(active=True, published=True)


class MerchantsView(ClientView):
    """``/v1/merchants``."""

    pagination_class = ByName

    @operation(
        "listMerchants",
        "Merchants",
        "Search the catalogue",
        parameters=[MerchantQuery],
        responses=MerchantSerializer(many=True),
    )
    def get(self, request: ClientRequest) -> Response:
        """Return a page of the catalogue as staff edit it, by name, or of a search's results."""
        query = read_query(request, MerchantQuery)
        if search := query.get("search"):
            with limit_errors(), _SEARCHES.slot(request.client.pk):
                return self._page(request, _matching(search))
        return self._page(request, _SHOWN)

    def _page(self, request: ClientRequest, merchants: QuerySet[Merchant]) -> Response:
        pages = self.pagination_class()
        page = pages.paginate_queryset(merchants.prefetch_related("aliases"), request)
        return pages.get_paginated_response([merchant_object(merchant) for merchant in page or ()])


def _matching(search: str) -> QuerySet[Merchant]:
    aliases = Alias.objects.filter(published=True, text__icontains=search).order_by()
    return _SHOWN.filter(
        Q(name__icontains=search)
        | Q(website__icontains=search)
        | Q(pk__in=aliases.values("merchant"))
    )


class MerchantView(ClientView):
    """``/v1/merchants/{id}``."""

    @operation("getMerchant", "Merchants", "Get a merchant", responses=MerchantSerializer)
    def get(self, request: ClientRequest, merchant_id: UUID) -> Response:
        """Return a merchant, also an inactive one: its id stays valid."""
        shown = Merchant.objects.filter(published=True).prefetch_related("aliases")
        merchant = get_object_or_404(shown, pk=merchant_id)
        return Response(merchant_object(merchant))
