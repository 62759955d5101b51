"""Errors as RFC 9457 problem+json."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain, islice
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from pave.api.exceptions import ParameterError
from pave.clients.authentication import ApiKeyAuthentication
from pave.clients.models import Client
from pave.core.card_numbers.masking import masked, masked_value

MEDIA_TYPE = "application/problem+json"
# Errors reported at most: a body may have tens of thousands of wrong members, each to be masked.
MAX_ERRORS = 100
# What the sender chose may be as long as a body, and a batch keeps hundreds of errors.
_MAX_NAME = 100
_MAX_DETAIL = 300


def problem(
    status_code: int,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    *,
    slug: str = "about:blank",
) -> dict[str, Any]:
    """Return the members of a problem. A card's number in what it quotes is masked.

    Args:
        status_code: The HTTP status.
        detail: A sentence for a person: what is wrong and what to do.
        errors: ``{"pointer", "detail"}`` for each field at fault; pointers as in RFC 6901.
        slug: The problem's type; ``about:blank``: the status says all.
    """
    body: dict[str, Any] = {
        "type": slug,
        "title": HTTPStatus(status_code).phrase,
        "status": status_code,
        "detail": masked_value(detail),
    }
    if errors:
        body["errors"] = [{**error, "detail": masked_value(error["detail"])} for error in errors]
    return body


def problem_response(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Convert an exception of a view to a problem; None for a server error.

    Set as REST framework's ``EXCEPTION_HANDLER``. An exception may have its own ``problem_type``
    and ``problem_errors``.
    """
    if isinstance(exc, IntegrityError | ObjectDoesNotExist) and _is_erased(context["request"].user):
        exc = exceptions.AuthenticationFailed("This client is not active any more.")
        exc.auth_header = ApiKeyAuthentication().authenticate_header(context["request"])  # type: ignore[attr-defined]  # REST framework reads it
    response = exception_handler(exc, context)
    if response is None:
        return None
    errors = getattr(exc, "problem_errors", None)
    if errors is None and isinstance(exc, exceptions.ValidationError):
        errors = field_errors(exc.detail, in_body=not isinstance(exc, ParameterError))
        detail = "; ".join(
            f"{error['pointer'].lstrip('/') or 'body'}: {error['detail']}" for error in errors[:3]
        )
    else:
        detail = str(getattr(exc, "detail", "") or HTTPStatus(response.status_code).description)
    response.data = problem(
        response.status_code, detail, errors, slug=getattr(exc, "problem_type", "about:blank")
    )
    response.content_type = MEDIA_TYPE
    return response


def _is_erased(user: Any) -> bool:
    """Return whether a client was erased or deactivated while its request was answered."""
    return isinstance(user, Client) and not Client.objects.filter(pk=user.pk, active=True).exists()


def problem_page(status_code: int, detail: str) -> HttpResponse:
    """Return a problem as a plain Django response, for what never reaches a view."""
    return HttpResponse(
        json.dumps(problem(status_code, detail)), status=status_code, content_type=MEDIA_TYPE
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a path without a route (Django's ``handler404``)."""
    return problem_page(404, "There is nothing here. The API is described at /docs.")


@csrf_exempt  # otherwise a POST to an unknown path would get an HTML page about a cookie
def not_found_view(request: HttpRequest) -> HttpResponse:
    """Answer a path without a route; the last route of all."""
    return not_found(request, Http404())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django refuses, as for another host (Django's ``handler400``)."""
    return problem_page(400, "The request's host, or the form of its body, is not accepted.")


def field_errors(detail: Any, *, in_body: bool = True) -> list[dict[str, str]]:
    """Flatten the first of REST framework's nested errors into pointers and sentences.

    Args:
        detail: The errors.
        in_body: Whether they are about members of the body; else of parameters or headers, which
            have names in place of pointers.
    """
    if in_body:
        flattened = _flattened(detail, "")
    else:
        flattened = chain.from_iterable(
            _flattened(inner, _shown(name)) for name, inner in detail.items()
        )
    return list(islice(flattened, MAX_ERRORS))


def _flattened(detail: Any, pointer: str) -> Iterator[dict[str, str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            step = "" if name == "non_field_errors" else f"/{_escape(str(name))}"
            yield from _flattened(inner, pointer + step)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from _flattened(inner, f"{pointer}/{index}" if nested else pointer)
    else:
        yield {"pointer": pointer, "detail": _shortened(str(detail), _MAX_DETAIL)}


def _escape(name: str) -> str:
    """Return a member's name as a step of a JSON pointer."""
    return _shown(name).replace("~", "~0").replace("/", "~1")


def _shown(name: str) -> str:
    """Return a name as it may be answered.

    Lone surrogates and NUL characters, which cannot be sent, are shown as escapes. A card's number
    is masked, also where a long name is cut.
    """
    name = name[: 2 * _MAX_NAME]
    sendable = name.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")
    return _shortened(masked(sendable), _MAX_NAME)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
