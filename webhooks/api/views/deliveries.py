"""``/v1/deliveries`` and the deliveries of a webhook: what became of messages."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse
from rest_framework.response import Response

from pave.api.exceptions import Conflict
from pave.api.openapi.problems import refused
from pave.api.openapi.schema import operation
from pave.api.pagination import NewestFirst
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest
from webhooks.api.representations import DeliverySerializer, DeliveryWithAttemptsSerializer
from webhooks.api.serializers import DeliveryFilterSerializer, EmptySerializer
from webhooks.api.views.webhooks import own_webhook, validated
from webhooks.delivery import manual
from webhooks.models import Delivery

_TAG = "Deliveries"


def own_delivery(request: ClientRequest, delivery_id: UUID) -> Delivery:
    """Return a delivery of the calling client's.

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
        parameters=[DeliveryFilterSerializer],
        responses=DeliverySerializer(many=True),
    )
    def get(self, request: ClientRequest, webhook_id: UUID) -> Response:
        """Answer the webhook's deliveries, newest first."""
        webhook = own_webhook(request, webhook_id)
        query = validated(DeliveryFilterSerializer(data=request.query_params.dict()))
        deliveries = Delivery.objects.filter(webhook=webhook).select_related("event")
        if "status" in query:
            deliveries = deliveries.filter(status=query["status"])
        if "event" in query:
            # Of the client alone, so that not all that others were sent is looked through.
            deliveries = deliveries.filter(event__client=request.client, **query["event"])
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(deliveries, request, view=self)
        return paginator.get_paginated_response(DeliverySerializer(page, many=True).data)


class DeliveryView(ClientView):
    """``GET /v1/deliveries/{id}``."""

    @operation(
        "getDelivery",
        _TAG,
        "Get a delivery with all its attempts",
        responses=DeliveryWithAttemptsSerializer,
    )
    def get(self, request: ClientRequest, delivery_id: UUID) -> Response:
        """Answer the delivery with all its attempts."""
        return Response(DeliveryWithAttemptsSerializer(own_delivery(request, delivery_id)).data)


class RetryView(ClientView):
    """``POST /v1/deliveries/{id}/retry``."""

    @operation(
        "retryDelivery",
        _TAG,
        "Attempt a delivery now",
        request=EmptySerializer,
        responses={
            202: OpenApiResponse(DeliverySerializer, "It waits for the next free moment."),
            **refused(409, "This delivery is under way just now. See what comes of it first."),
        },
    )
    def post(self, request: ClientRequest, delivery_id: UUID) -> Response:
        """Have the delivery attempted as soon as may be; answer it as it waits for that."""
        delivery = own_delivery(request, delivery_id)
        validated(EmptySerializer(data=request.data))
        try:
            manual.retry(delivery_id=delivery.pk)
        except manual.InvalidState as error:
            raise Conflict(str(error)) from error
        return Response(DeliverySerializer(own_delivery(request, delivery_id)).data, status=202)
