"""The catalogue, as clients see it."""

from uuid import UUID

from django.db.models import Q
from django.shortcuts import get_object_or_404
from rest_framework.response import Response

from merchants.models import Alias, Merchant
from merchants.objects import merchant_object
from merchants.serializers import MerchantQuery
from pave.api.pagination import ByName
from pave.api.querying import read_query
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest


class MerchantsView(ClientView):
    """``/v1/merchants``."""

    def get(self, request: ClientRequest) -> Response:
        """Answer a page of the catalogue by name, of those only that the search finds."""
        query = read_query(request, MerchantQuery)
        found = Merchant.objects.filter(active=True, published=True)
        if search := query.get("search"):
            aliases = Alias.objects.filter(published=True, text__icontains=search).order_by()
            found = found.filter(
                Q(name__icontains=search)
                | Q(website__icontains=search)
                | Q(pk__in=aliases.values("merchant"))
            )
        pages = ByName()
        page = pages.paginate_queryset(found.prefetch_related("aliases"), request)
        return pages.get_paginated_response([merchant_object(merchant) for merchant in page or ()])


class MerchantView(ClientView):
    """``/v1/merchants/{id}``."""

    def get(self, request: ClientRequest, merchant_id: UUID) -> Response:
        """Answer a merchant; one that is no longer answered, too: its id stays valid."""
        shown = Merchant.objects.filter(published=True).prefetch_related("aliases")
        found = get_object_or_404(shown, pk=merchant_id)
        return Response(merchant_object(found))
