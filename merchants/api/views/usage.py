"""What the calling client has used."""

from django.utils import timezone
from rest_framework.response import Response

from merchants.requests import usage
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest


class UsageView(ClientView):
    """``/v1/usage``."""

    def get(self, request: ClientRequest) -> Response:
        """Answer this month's counts, the quota and the rate."""
        return Response(usage.describe(request.client, now=timezone.now()))
