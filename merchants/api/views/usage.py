"""The calling client's usage."""

from django.utils import timezone
from rest_framework.response import Response

from merchants.api.representations import UsageSerializer
from merchants.requests import usage
from pave.api.openapi.schema import operation
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest


class UsageView(ClientView):
    """``/v1/usage``."""

    @operation(
        "getUsage", "Usage", "Get this month's usage and the limits", responses=UsageSerializer
    )
    def get(self, request: ClientRequest) -> Response:
        """Return this month's counts (up to 15 s old), the quota and the rate."""
        return Response(usage.describe(request.client, now=timezone.now()))
