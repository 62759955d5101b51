"""The published list of categories."""

import hashlib
import json

from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition
from drf_spectacular.utils import OpenApiResponse
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from merchants.api.representations import CategorySerializer
from merchants.matching.categories import all_categories
from pave.api.openapi.schema import header, operation
from pave.api.pagination import ByName
from pave.api.query_params import read_query
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest

# It changes only with a release of Pave; clients that revalidate see it within a day.
_MAX_AGE_SECONDS = 24 * 3600
# In the envelope of all lists, although there is only one page.
_LIST = {
    "data": CategorySerializer(all_categories(), many=True).data,
    "next_cursor": None,
    "previous_cursor": None,
}
_ETAG = f'"{hashlib.sha256(json.dumps(_LIST).encode()).hexdigest()[:32]}"'


def _etag(request: HttpRequest) -> str:
    return _ETAG


class CategoriesView(ClientView):
    """``/v1/categories``."""

    pagination_class = ByName  # for the description only

    @operation(
        "listCategories",
        "Merchants",
        "List the categories",
        description="The whole published list on one page: what a merchant's `category` may be, "
        "with the MCCs that map to it and the nearest of Plaid's personal finance categories. It "
        "changes only with a release of Pave; send its `ETag` back to learn whether it has.",
        parameters=[
            header("If-None-Match", "The `ETag` of the list that you have."),
            header("ETag", "The version of the list.", answers=[200, 304]),
            header("Cache-Control", "How long it may be cached.", answers=[200, 304]),
        ],
        responses={
            200: CategorySerializer(many=True),
            304: OpenApiResponse(description="The list has not changed."),
        },
    )
    @method_decorator(cache_control(private=True, max_age=_MAX_AGE_SECONDS))
    @method_decorator(condition(etag_func=_etag))
    def get(self, request: ClientRequest) -> Response:
        """Return the whole list, or 304 if the client has it."""
        read_query(request, Serializer)  # the route has no parameters
        return Response(_LIST)
