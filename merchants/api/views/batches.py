"""The routes of batches and their results."""

from collections.abc import Iterable, Iterator
from typing import Any, cast
from uuid import UUID

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.response import Response
from rest_framework.utils.mediatypes import media_type_matches

from merchants.api import batch_download, batch_upload, examples, transfer_limits
from merchants.api.backpressure import refuse_if_full
from merchants.api.batch_rows import RowChecker
from merchants.api.batch_upload import BadRow, Malformed, Read
from merchants.api.representations import BatchSerializer, batch_object, batch_objects
from merchants.api.serializers import BatchQuery, NewBatchSerializer
from merchants.api.transfer_limits import UPLOAD_TURNS, UPLOADS
from merchants.models import Batch
from merchants.requests import batches, cancellation, usage
from pave.api import throttling
from pave.api.body_parsers import Upload, UploadParser
from pave.api.exceptions import Conflict, PayloadTooLarge
from pave.api.idempotency import idempotent
from pave.api.openapi.problems import refused
from pave.api.openapi.schema import location, operation
from pave.api.pagination import NewestFirst
from pave.api.query_params import PageQuery, read_query
from pave.api.throttling import limit_errors
from pave.api.views import ClientView
from pave.clients.authentication import ClientRequest, refuse_other_client
from pave.clients.quotas import QuotaExceeded
from pave.core.concurrency import Busy

NDJSON = "application/x-ndjson"
CSV = "text/csv"
_TAG = "Batches"
# A page of two hundred batches with all their errors would be tens of megabytes.
LISTED_ERRORS = 10


class JSONUpload(UploadParser):
    """A batch in JSON."""

    media_type = "application/json"


class NDJSONUpload(UploadParser):
    """A batch with one JSON object a line."""

    media_type = NDJSON


class CSVUpload(UploadParser):
    """A batch in CSV."""

    media_type = CSV


class BatchesView(ClientView):
    """``/v1/batches``."""

    uploads = ("POST",)
    parser_classes = [JSONUpload, NDJSONUpload, CSVUpload]
    pagination_class = NewestFirst

    @operation(
        "listBatches",
        _TAG,
        "List batches",
        description=f"Of each batch's `errors` the first {LISTED_ERRORS}; get the batch for all.",
        parameters=[PageQuery],
        responses=BatchSerializer(many=True),
    )
    def get(self, request: ClientRequest) -> Response:
        """Answer a page of the client's batches, newest first."""
        read_query(request, PageQuery)
        pages = self.pagination_class()
        own = Batch.objects.for_client(request.client).with_first_errors(LISTED_ERRORS)
        page = pages.paginate_queryset(own, request) or ()
        for batch in page:
            batch.errors = batch.first_errors
        return pages.get_paginated_response(batch_objects(page))

    @operation(
        "createBatch",
        _TAG,
        "Send many transactions",
        description=f"Up to {batches.MAX_ROWS:,} rows, in 32 MiB. Valid rows are accepted; invalid "
        "rows are reported by line. If the body is malformed or no row is valid, none is accepted. "
        "Send one at a time: a second one meanwhile gets 429.\n\n"
        "In CSV the first line names the columns: `description` and, optionally, other members "
        "of a transaction, and `metadata.NAME` for a pair of metadata. Other columns are ignored, "
        "and empty cells count as not sent.",
        parameters=[BatchQuery, location(202)],
        request={
            "application/json": NewBatchSerializer,
            NDJSON: OpenApiRequest(
                OpenApiTypes.STR, examples=[OpenApiExample("NDJSON", examples.NDJSON)]
            ),
            CSV: OpenApiRequest(OpenApiTypes.STR, examples=[OpenApiExample("CSV", examples.CSV)]),
        },
        responses={202: OpenApiResponse(BatchSerializer, "The valid rows are accepted.")},
    )
    def post(self, request: ClientRequest) -> Response:
        """Accept the valid rows of a batch, and report the invalid ones."""
        with limit_errors(), UPLOADS.slot(request.client.pk):
            upload = request.data  # the client may send it slowly
            if not isinstance(upload, Upload):
                raise ParseError("The body is empty.")
            # Before the transaction of an Idempotency-Key, since it may start the month's count.
            usage.left(request.client, now=timezone.now())
            with upload.file, UPLOAD_TURNS.slot(wait=transfer_limits.WAIT_SECONDS):
                return self._take(request)

    @idempotent
    def _take(self, request: ClientRequest) -> Response:
        refuse_if_full(request.client)
        options = read_query(request, BatchQuery)
        upload = cast(Upload, request.data)  # ``post`` has no other parser
        try:
            batch = batches.accept(
                client=request.client, rows=_rows(request, upload, options), options=options
            )
        except Malformed as error:
            if error.pointer:
                raise ValidationError({error.pointer.lstrip("/"): str(error)}) from error
            raise ParseError(str(error)) from error
        except batches.TooManyRows as error:
            raise PayloadTooLarge(f"A batch may have {batches.MAX_ROWS:,} rows at most.") from error
        except batches.TooManyDeliveries as error:
            raise PayloadTooLarge(str(error)) from error
        except batches.TooMuchWork as error:
            raise PayloadTooLarge(
                "Rows with so many errors, or so much that looks like card numbers, take too long "
                "to read. Nothing was accepted; send fewer of them at once."
            ) from error
        except batches.AnotherInProgress as error:
            raise Busy(UPLOADS.busy) from error
        except batches.NothingTaken as error:
            raise NoGoodRow(error.errors) from error
        except QuotaExceeded as error:
            raise throttling.quota_exceeded(request, error, timezone.now()) from error
        return Response(
            batch_object(batch),
            status=202,
            headers={"Location": reverse("batch", args=[batch.pk])},
        )


class BatchView(ClientView):
    """``/v1/batches/{id}``."""

    @operation("getBatch", _TAG, "Get a batch", responses=BatchSerializer)
    def get(self, request: ClientRequest, batch_id: UUID) -> Response:
        """Return the batch with its current counts."""
        return Response(batch_object(_find(request, batch_id)))


class CancelBatchView(ClientView):
    """``POST /v1/batches/{id}/cancel``."""

    @operation(
        "cancelBatch",
        _TAG,
        "Cancel a batch",
        description="Cancels the rows that are not final yet; no webhook is sent about them. A "
        "large batch is canceled in the background. Answered rows keep their answers. A batch "
        "that is final cannot be canceled.",
        request=None,
        responses={
            200: OpenApiResponse(BatchSerializer, "It is canceled, or being canceled."),
            **refused(409, "It is completed and can no longer be canceled."),
        },
    )
    def post(self, request: ClientRequest, batch_id: UUID) -> Response:
        """Cancel the rows that are not final yet."""
        batch = _find(request, batch_id)
        try:
            cancellation.cancel_batch(batch=batch)
        except cancellation.AlreadyFinal as error:
            raise Conflict(f"It is {batch.status} and can no longer be canceled.") from error
        return Response(batch_object(batch))


class BatchResultsView(ClientView):
    """``/v1/batches/{id}/results``."""

    @operation(
        "getBatchResults",
        _TAG,
        "Get the results of a batch",
        description="A stream of the accepted rows, in the order of the input, at any "
        "time, with rows that are not answered yet. In NDJSON each line is an object with `row`, "
        "from 1, and the members of `NormalizationData`. `Accept: text/csv` gives CSV, in which "
        "cells that begin with `= + - @` (also full-width, or behind blanks), a tab or a line "
        "break have a `'` in front, so that no spreadsheet interprets them as formulas; so has "
        "what follows a `;`, tab or line break within a cell.",
        responses={(200, NDJSON): OpenApiTypes.STR, (200, CSV): OpenApiTypes.STR},
    )
    def get(self, request: ClientRequest, batch_id: UUID) -> StreamingHttpResponse:
        """Stream the rows in the order of the input: CSV if the client accepts it, else NDJSON."""
        batch = _find(request, batch_id)
        if _wants_csv(request):
            parts, media_type, ending = batch_download.as_csv(batch), CSV, "csv"
        else:
            parts, media_type, ending = batch_download.as_ndjson(batch), NDJSON, "ndjson"
        with limit_errors():
            stream = transfer_limits.Download(request.client.pk, parts)
        return StreamingHttpResponse(
            stream,
            content_type=f"{media_type}; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="batch-{batch.pk}.{ending}"',
                "Vary": "Accept",
            },
        )


class NoGoodRow(ParseError):
    """No row of the batch is valid; the problem lists the errors as a batch does."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("No row of the batch is valid.")
        self.problem_errors = errors


def _find(request: ClientRequest, batch_id: UUID) -> Batch:
    return get_object_or_404(Batch.objects.for_client(request.client), pk=batch_id)


def _rows(request: ClientRequest, upload: Upload, options: dict[str, Any]) -> Iterator[batches.Row]:
    """Yield the validated rows of an upload, and put ``deliver`` from JSON into ``options``."""
    members: dict[str, Any] = {}

    def take(name: str, value: Any) -> None:
        if name == "client_id":
            refuse_other_client(request.client, value, "body's client_id")
        if name == "deliver":  # there may be millions of other members
            members[name] = value

    if upload.media_type == CSV:
        read: Iterable[Read] = batch_upload.read_csv(upload.file)
    elif upload.media_type == NDJSON:
        read = batch_upload.read_ndjson(upload.file)
    else:
        read = batch_upload.read_json(upload.file, take)
    checker = RowChecker(request.client.client_id)
    for number, (line, row) in enumerate(read, start=1):
        if isinstance(row, BadRow):
            fields, errors = None, [{"pointer": "", "detail": str(row)}]
        else:
            fields, errors = checker.check(row)
        yield batches.Row(number, line, fields, errors)
    if "deliver" in members:
        serializer = BatchQuery(data={"deliver": members["deliver"]})
        serializer.is_valid(raise_exception=True)
        options.update(serializer.validated_data)


def _wants_csv(request: ClientRequest) -> bool:
    """Return whether the Accept header prefers CSV to NDJSON (RFC 9110, section 12.5.1).

    Parameters of a media type (``text/csv; charset=utf-8``) are ignored.
    """
    preferred = request.accepted_types

    def place(ours: str) -> int:
        fitting = (
            preferred.index(accepted)
            for accepted in request.accepted_types_by_precedence
            if media_type_matches(ours, str(accepted))
        )
        return next(fitting, len(preferred))

    return place(CSV) < min(place(NDJSON), place("application/json"))
