"""The routes to send transactions and to read, cancel and correct their answers."""

from collections.abc import Collection
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework.response import Response

from merchants.api import examples
from merchants.api.backpressure import refuse_if_full
from merchants.api.representations import (
    GivenFeedbackSerializer,
    NormalizationSerializer,
    TakenTransactionSerializer,
    normalization_object,
    normalization_objects,
)
from merchants.api.serializers import (
    FeedbackSerializer,
    NormalizationQuery,
    SeedTransactionSerializer,
    TransactionSerializer,
)
from merchants.api.transaction_validation import Checker
from merchants.catalogue import feedback
from merchants.models import NormalizationRequest
from merchants.requests import cancellation, submission
from merchants.requests.events import describe
from pave.api import prefer_wait, throttling
from pave.api.exceptions import Conflict
from pave.api.idempotency import idempotent
from pave.api.openapi.problems import refused
from pave.api.openapi.schema import header, location, operation
from pave.api.pagination import NewestFirst
from pave.api.query_params import read_query
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest
from pave.clients.models import Client
from pave.clients.quotas import QuotaExceeded
from pave.core.ids import created_within

_checker = Checker(TransactionSerializer())
_seed_checker = Checker(SeedTransactionSerializer())
_TAG = "Normalizations"


class NormalizeMerchantView(ClientView):
    """``POST /normalize_merchant``: the seed's route, kept for its clients."""

    short = ("POST",)

    @operation(
        "normalizeMerchant",
        "Kept from the first version",
        "Send a transaction",
        description="Kept for clients of Pave's first version; new ones use "
        "`POST /v1/normalizations`.",
        parameters=[
            header(
                "client-id",
                "Optional; if given, it must be the key's client.",
                example="1234",
            ),
            location(202),
        ],
        request=SeedTransactionSerializer,
        responses={
            202: OpenApiResponse(
                TakenTransactionSerializer,
                "It is accepted.",
                [OpenApiExample("Taken", {"request_id": examples.REQUEST_ID})],
            )
        },
    )
    @idempotent
    def post(self, request: ClientRequest) -> Response:
        """Accept a transaction; return its ``request_id`` at once."""
        taken = _submit(request, _seed_checker)
        return Response(
            {"request_id": str(taken.pk)}, status=202, headers={"Location": _location(taken)}
        )


class NormalizationsView(ClientView):
    """``/v1/normalizations``."""

    short = ("POST",)
    pagination_class = NewestFirst

    @operation(
        "listNormalizations",
        _TAG,
        "List normalizations",
        description="Newest first; pages stay correct while rows are added. Repeat the filters "
        "with each cursor.",
        parameters=[NormalizationQuery],
        responses=NormalizationSerializer(many=True),
    )
    def get(self, request: ClientRequest) -> Response:
        """Return a page of the client's normalizations, newest first."""
        query = read_query(request, NormalizationQuery)
        filters = created_within(query.get("created_after"), query.get("created_before"))
        for name in ("status", "reference", "batch"):
            if name in query:
                filters[name] = query[name]
        requests = NormalizationRequest.objects.for_client(request.client).filter(**filters)
        pages = self.pagination_class()
        page = pages.paginate_queryset(requests.select_related("resolution"), request)
        return pages.get_paginated_response(normalization_objects(page or ()))

    @operation(
        "createNormalization",
        _TAG,
        "Send a transaction",
        description="The transaction is accepted at once, and answered by a webhook; or read it at "
        "`Location`.",
        parameters=[
            header(
                "Prefer",
                f"`wait=N`: wait up to N seconds (at most {prefer_wait.MAX_SECONDS}) for the "
                "result. Without it the response comes at once, as it does while too many "
                "others wait.",
                example="wait=5",
            ),
            header("Preference-Applied", "`wait=N` if the server waited.", answers=[200, 202]),
            location(200, 202),
        ],
        request=TransactionSerializer,
        responses={
            200: OpenApiResponse(
                NormalizationSerializer, "The result was ready within the waiting time."
            ),
            202: OpenApiResponse(
                NormalizationSerializer,
                "It is accepted.",
                [OpenApiExample("Queued", examples.QUEUED)],
            ),
        },
    )
    @idempotent
    def post(self, request: ClientRequest) -> Response:
        """Accept a transaction; return the normalization, final if the client waits for it."""
        taken = _submit(request, _checker)
        data = {**describe(taken, None), "deliveries": []}
        headers = {"Location": _location(taken)}
        accepted = Response(data, 202, headers=headers)
        seconds = prefer_wait.preferred_seconds(request)
        if not seconds:
            return accepted
        return prefer_wait.Unfinished(
            data, 202, headers, finish=lambda: _after_waiting(taken, seconds, accepted)
        )


class NormalizationView(ClientView):
    """``/v1/normalizations/{request_id}``."""

    short = ("GET", "HEAD")

    @operation("getNormalization", _TAG, "Get a normalization", responses=NormalizationSerializer)
    def get(self, request: ClientRequest, request_id: UUID) -> Response:
        """Return the normalization in its current state."""
        return Response(normalization_object(_find(request.client, request_id)))


class CancelView(ClientView):
    """``POST /v1/normalizations/{request_id}/cancel``."""

    @operation(
        "cancelNormalization",
        _TAG,
        "Cancel a normalization",
        description="No webhook is sent about it. One that is final cannot be canceled.",
        request=None,
        responses={
            200: NormalizationSerializer,
            **refused(409, "It is completed and can no longer be canceled."),
        },
    )
    def post(self, request: ClientRequest, request_id: UUID) -> Response:
        """Cancel the request, unless it is final."""
        normalization = _find(request.client, request_id)
        try:
            cancellation.cancel(request=normalization)
        except cancellation.AlreadyFinal as error:
            normalization.refresh_from_db()
            raise Conflict(
                f"It is {normalization.status} and can no longer be canceled."
            ) from error
        except cancellation.InUse as error:
            raise Conflict("It is being answered just now. Try again.") from error
        return Response(normalization_object(normalization))


class FeedbackView(ClientView):
    """``POST /v1/normalizations/{request_id}/feedback``."""

    @operation(
        "giveFeedback",
        _TAG,
        "Report a wrong answer",
        description="Staff review it; another one for the same answer replaces it until then. "
        "`normalization.updated` announces each corrected answer.",
        request=FeedbackSerializer,
        responses={201: OpenApiResponse(GivenFeedbackSerializer, "Staff will review it.")},
    )
    def post(self, request: ClientRequest, request_id: UUID) -> Response:
        """Put the client's correction on the review list, in place of one that waits there."""
        normalization = _find(request.client, request_id)
        serializer = FeedbackSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            correction = feedback.give(
                request=normalization,
                merchant=serializer.validated_data["merchant"],
                comment=serializer.validated_data.get("comment") or "",
            )
        except NormalizationRequest.DoesNotExist as error:
            raise Http404 from error
        return Response(GivenFeedbackSerializer(correction).data, status=201)


def _look(ids: Collection[UUID]) -> Collection[UUID]:
    finished = NormalizationRequest.objects.finished().filter(pk__in=ids)
    return finished.values_list("pk", flat=True)


_watcher = prefer_wait.Watcher(_look)


def _after_waiting(taken: NormalizationRequest, seconds: int, accepted: Response) -> Response:
    """Return the result if it is ready in time, else the response without it."""
    finished = _watcher.wait(taken.pk, seconds, client=taken.client_id)
    if finished is None:
        return accepted
    headers = {**accepted.headers, "Preference-Applied": f"wait={seconds}"}
    normalization = NormalizationRequest.objects.select_related("resolution").get(pk=taken.pk)
    return Response(normalization_object(normalization), 200 if finished else 202, headers=headers)


def _find(client: Client, request_id: UUID) -> NormalizationRequest:
    return get_object_or_404(
        NormalizationRequest.objects.for_client(client).select_related("resolution"),
        pk=request_id,
    )


def _submit(request: ClientRequest, checker: Checker) -> NormalizationRequest:
    fields = checker.check(request.data)
    refuse_if_full(request.client, fields)
    try:
        return submission.submit(client=request.client, fields=fields)
    except QuotaExceeded as error:
        raise throttling.quota_exceeded(request, error, timezone.now()) from error


def _location(taken: NormalizationRequest) -> str:
    return reverse("normalization", args=[taken.pk])
