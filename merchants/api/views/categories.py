"""The published list of categories."""

import hashlib
import json

from django.http import HttpRequest
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from merchants.api.representations import category_object
from merchants.matching.categories import all_categories
from pave.api.query_params import read_query
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest

# It changes when Pave is updated; a client that asks with the ETag learns of it within the day.
_MAX_AGE_SECONDS = 24 * 3600
# In the envelope of every other list, with no other page.
_LIST = {
    "data": [category_object(category) for category in all_categories()],
    "next_cursor": None,
    "previous_cursor": None,
}
_ETAG = f'"{hashlib.sha256(json.dumps(_LIST).encode()).hexdigest()[:32]}"'


def _etag(request: HttpRequest) -> str:
    return _ETAG


class CategoriesView(ClientView):
    """``/v1/categories``."""

    @method_decorator(cache_control(private=True, max_age=_MAX_AGE_SECONDS))
    @method_decorator(condition(etag_func=_etag))
    def get(self, request: ClientRequest) -> Response:
        """Answer the whole list, or 304 to whom has it."""
        read_query(request, Serializer)  # it has no parameters
        return Response(_LIST)
