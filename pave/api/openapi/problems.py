"""Errors in the API's description: each status with an example."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import exceptions, serializers

from pave.api.errors import MEDIA_TYPE, problem
from pave.api.exceptions import BodyTimeout, InProgress, Overloaded
from pave.api.fields import ShownTextField

Described = dict[str, Any]

_CURRENCY = "Must be a currency code of ISO 4217, such as USD."
_CURRENCY_ERRORS = [{"pointer": "/currency", "detail": _CURRENCY}]
# Examples of the problems that operations have in common.
EXAMPLES = {
    status: problem(status, detail, errors)
    for status, detail, errors in (
        (400, f"currency: {_CURRENCY}", _CURRENCY_ERRORS),
        (401, "This API key is not valid: wrong, revoked or expired.", None),
        (403, "The client-id header names another client than the API key's.", None),
        (404, str(exceptions.NotFound.default_detail), None),
        (408, BodyTimeout.default_detail, None),
        (409, InProgress.default_detail, None),
        (411, "Send the body with its Content-Length, not in chunks.", None),
        (413, "The body may have 262,144 bytes at most.", None),
        (415, 'Unsupported media type "text/plain" in request.', None),
        (422, "This Idempotency-Key was used for another request. Use a new key.", None),
        (429, "More than 600 requests a minute. The next one may be made in 1 s.", None),
        (503, Overloaded.default_detail, None),
    )
}
EXAMPLES[429]["type"] = "https://iana.org/assignments/http-problem-types#quota-exceeded"


class ProblemErrorSerializer(serializers.Serializer):
    """One error."""

    pointer = serializers.CharField(
        help_text="The field at fault, as a JSON pointer into the body, or the name of the "
        "parameter or header."
    )
    detail = serializers.CharField(help_text="A sentence that says what is wrong.")
    row = serializers.IntegerField(
        min_value=1, required=False, help_text="In a batch: the row's position, from 1."
    )
    line = serializers.IntegerField(
        min_value=1,
        required=False,
        allow_null=True,
        help_text="In a batch: the line on which the row begins, from 1; null in JSON.",
    )


class ProblemSerializer(serializers.Serializer):
    """What went wrong (RFC 9457)."""

    type = ShownTextField(
        format="uri-reference", help_text="`about:blank` if the status says everything."
    )
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong, and what to do.")
    errors = ProblemErrorSerializer(many=True, required=False)  # type: ignore[assignment]  # DRF takes fields out of the class


def refused(status: int, detail: str) -> dict[tuple[int, str], OpenApiResponse]:
    """Return an operation's own problem, for the ``responses`` of ``extend_schema``."""
    phrase = HTTPStatus(status).phrase
    example = OpenApiExample(phrase, value=problem(status, detail))
    return {(status, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, phrase, [example])}


def described(status: int, schema: Described) -> Described:
    """Return the response for a problem that operations have in common.

    Args:
        status: The HTTP status.
        schema: The schema of a problem.
    """
    headers: Described = {}
    if status in (409, 429, 503):
        headers["Retry-After"] = {"description": "Seconds.", "schema": {"type": "integer"}}
    if status == 401:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    return {
        "description": HTTPStatus(status).phrase,
        **({"headers": headers} if headers else {}),
        "content": {MEDIA_TYPE: {"schema": schema, "example": EXAMPLES[status]}},
    }
