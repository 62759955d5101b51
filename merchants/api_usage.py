"""What the calling client has used."""

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from merchants import usage


class UsageView(APIView):
    """``/v1/usage``."""

    def get(self, request: Request) -> Response:
        """Answer this month's counts, the quota and the rate."""
        return Response(usage.describe(request.client, now=timezone.now()))
