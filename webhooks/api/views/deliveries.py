"""``/v1/deliveries`` and the deliveries of a webhook: messages and their state."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse
from rest_framework.response import Response

from pave.api.exceptions import Conflict
from pave.api.openapi.problems import refused
from pave.api.openapi.schema import operation
from pave.api.pagination import NewestFirst
from pave.api.query_params import read_query
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest
from webhooks.api.representations import DeliverySerializer, DeliveryWithAttemptsSerializer
from webhooks.api.serializers import DeliveryQuery, EmptySerializer
from webhooks.api.views.webhooks import own_webhook, validated
from webhooks.delivery import manual
from webhooks.models import Delivery

_TAG = "Deliveries"


def own_delivery(request: ClientRequest, delivery_id: UUID) -> Delivery:
    """Return a delivery of the calling client.

    Raises:
        Http404: There is none, or it is another client's.
    """
    return get_object_or_404(
        Delivery.objects.for_client(request.client).select_related("event"), pk=delivery_id
    )


class DeliveriesView(ClientView):
    """``GET /v1/webhooks/{id}/deliveries``."""

    pagination_class = NewestFirst

    @operation(
        "listDeliveries",
        _TAG,
        "List a webhook's deliveries",
        parameters=[DeliveryQuery],
        responses=DeliverySerializer(many=True),
    )
    def get(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Return the webhook's deliveries, newest first."""
        webhook = own_webhook(request, webhook_id)
        query = read_query(request, DeliveryQuery)
        deliveries = Delivery.objects.filter(webhook=webhook).select_related("event")
        if "status" in query:
            deliveries = deliveries.filter(status=query["status"])
        if "event" in query:
            # Limited to the client, so that others' events are not scanned.
            deliveries = deliveries.filter(event__client=request.client, **query["event"])
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(deliveries, request, view=self)
        return paginator.get_paginated_response(DeliverySerializer(page, many=True).data)


class DeliveryView(ClientView):
    """``GET /v1/deliveries/{id}``."""

    @operation(
        "getDelivery",
        _TAG,
        "Get a delivery with its attempts",
        responses=DeliveryWithAttemptsSerializer,
    )
    def get(self, request: ClientRequest, delivery_id: UUID) -> Response:
        """Return the delivery with its attempts."""
        return Response(DeliveryWithAttemptsSerializer(own_delivery(request, delivery_id)).data)


class RetryView(ClientView):
    """``POST /v1/deliveries/{id}/retry``."""

    @operation(
        "retryDelivery",
        _TAG,
        "Attempt a delivery now",
        request=EmptySerializer,
        responses={
            202: OpenApiResponse(DeliverySerializer, "It is queued for an attempt."),
            **refused(409, "This delivery is in flight. Wait for its outcome."),
        },
    )
    def post(self, request: ClientRequest, delivery_id: UUID) -> Response:
        """Queue the delivery for an attempt as soon as possible; return it."""
        delivery = own_delivery(request, delivery_id)
        validated(EmptySerializer(data=request.data))
        try:
            manual.retry(delivery_id=delivery.pk)
        except manual.InvalidState as error:
            raise Conflict(str(error)) from error
        return Response(DeliverySerializer(own_delivery(request, delivery_id)).data, status=202)
