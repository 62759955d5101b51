"""The routes by which transactions come in and answers are read."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from merchants import normalization
from merchants.events import describe
from merchants.models import NormalizationRequest
from merchants.serializers import (
    SeedTransactionSerializer,
    TransactionSerializer,
    normalization_object,
)


class NormalizeMerchantView(APIView):
    """``POST /normalize_merchant``: the seed's route, kept for its clients."""

    def post(self, request: Request) -> Response:
        """Take a transaction; answer its ``request_id`` at once."""
        taken = _submit(request, SeedTransactionSerializer)
        return Response(
            {"request_id": str(taken.pk)}, status=202, headers={"Location": _location(taken)}
        )


class NormalizationsView(APIView):
    """``/v1/normalizations``."""

    def post(self, request: Request) -> Response:
        """Take a transaction; answer the normalization, queued."""
        taken = _submit(request, TransactionSerializer)
        return Response(
            {**describe(taken, None), "deliveries": []},
            status=202,
            headers={"Location": _location(taken)},
        )


class NormalizationView(APIView):
    """``/v1/normalizations/{request_id}``."""

    def get(self, request: Request, request_id: UUID) -> Response:
        """Answer the normalization as it is now."""
        found = get_object_or_404(
            NormalizationRequest.objects.for_client(request.client).select_related("resolution"),
            pk=request_id,
        )
        return Response(normalization_object(found))


def _submit(request: Request, serializer_class: type) -> NormalizationRequest:
    data = request.data
    if isinstance(data, dict):
        _refuse_stranger(request, data)
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return normalization.submit(client=request.client, fields=serializer.validated_data)


def _refuse_stranger(request: Request, data: dict[str, Any]) -> None:
    """Refuse a body that names another client than the key's."""
    named = data.get("client_id")
    if named is not None and named != request.client.client_id:
        raise PermissionDenied("The body's client_id is another client than the API key's.")


def _location(taken: NormalizationRequest) -> str:
    return reverse("normalization", args=[taken.pk])
