"""The least that accepting a transaction could be: a REST framework view with one INSERT.

No key, no idempotency, no wakeup; it writes the row that Pave writes.
"""

from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from merchants.models import NormalizationRequest
from pave.clients.models import Client


class TransactionSerializer(serializers.Serializer):
    description = serializers.CharField(max_length=500)
    amount = serializers.DecimalField(max_digits=20, decimal_places=8)
    date = serializers.DateField()


class BareView(APIView):
    client_pk: int | None = None

    def post(self, request: Request) -> Response:
        serializer = TransactionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if self.client_pk is None:
            BareView.client_pk = Client.objects.get(client_id="1234").pk
        row = NormalizationRequest.objects.create(
            client_id=self.client_pk, created_at=timezone.now(), **serializer.validated_data
        )
        return Response({"request_id": str(row.pk)}, status=202)


urlpatterns = [path("normalize_merchant", BareView.as_view())]
