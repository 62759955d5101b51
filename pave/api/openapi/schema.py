"""What all operations have in common in the OpenAPI description that drf-spectacular generates.

Each operation is described where it is implemented: by ``operation`` at the view's method, whose
docstring is the description, and by its serializers.
"""

import copy
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, safe_ref
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.permissions import SAFE_METHODS

from pave.api.fields import DescribedField
from pave.api.idempotency import KEY_PATTERN
from pave.api.models import KEY_LENGTH
from pave.api.openapi import problems
from pave.clients.authentication import ApiKeyAuthentication

Described = dict[str, Any]
Handler = TypeVar("Handler", bound=Callable[..., Any])


def operation(name: str, tag: str, summary: str, **more: Any) -> Callable[[Handler], Handler]:
    """Return ``extend_schema`` for a view's method, whose docstring is the description.

    Args:
        name: Its ``operationId``, which names the functions of generated clients.
        tag: The group in which it is shown.
        summary: A few words.
        more: Further arguments of ``extend_schema``.
    """
    return extend_schema(operation_id=name, tags=[tag], summary=summary, **more)


def header(
    name: str, description: str, *, answers: Sequence[int] = (), example: str = "", **schema: str
) -> OpenApiParameter:
    """Return a header of requests or responses, for ``parameters``.

    Args:
        name: Its name.
        description: What it says.
        answers: Statuses of the responses that have it; none for a request header.
        example: A value, for a request header.
        schema: Further properties of its schema.
    """
    return OpenApiParameter(
        name,
        {"type": "string", **schema},
        OpenApiParameter.HEADER,
        description=description,
        response=answers,
        examples=[OpenApiExample("Example", value=example)] if example else None,
    )


def location(*answers: int) -> OpenApiParameter:
    """Return the header with the path of the created object, for ``parameters``."""
    return header(
        "Location", "The path of the created object.", answers=answers, format="uri-reference"
    )


IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "Makes it safe to repeat the request: the first response is replayed for 24 hours. 1 to "
    f"{KEY_LENGTH} visible characters, in quotes if it has a comma, quote or backslash.",
    example="8e03978e-40d5-43dd-bc93-6894a57f9324",
    pattern=f"^({KEY_PATTERN})$",
)
_REPLAYED = header(
    "Idempotency-Replayed",
    "`true` if this is a replay of the first response.",
    answers=[200, 201, 202],
)
_RATE_LIMIT = {
    "RateLimit-Policy": {
        "description": "The client's rate limit, if it has one: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of it: `r` requests; it is full again in `t` seconds.",
        "schema": {"type": "string"},
    },
}


class Schema(AutoSchema):
    """Adds what views do not describe themselves: problems, limits, idempotency, pages."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> Described | None:
        """Return the operation with the common responses and headers."""
        operation = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is None:
            return None
        answers = operation["responses"]
        for status, answer in answers.items():
            answer["description"] = answer["description"] or HTTPStatus(int(status)).phrase
            answer.setdefault("headers", {}).update(copy.deepcopy(_RATE_LIMIT))
        for number in self._statuses(path):
            answers.setdefault(str(number), self._problem(number))
        operation["responses"] = dict(sorted(answers.items()))
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = safe_ref(parameter["schema"])
        return operation

    def _problem(self, status: int) -> Described:
        """Return a reference to a shared response."""
        component = ResolvedComponent(
            HTTPStatus(status).phrase.title().replace(" ", ""),
            ResolvedComponent.RESPONSE,
            object=problems.described,
        )
        if component not in self.registry:
            schema = self.resolve_serializer(problems.ProblemSerializer, "response").ref
            component.schema = problems.described(status, schema)
            if status == 429:
                component.schema["headers"] |= copy.deepcopy(_RATE_LIMIT)
            self.registry.register(component)
        return component.ref

    def _statuses(self, path: str) -> list[int]:
        """Return the common problems of an operation."""
        statuses = [400, 401, 403, 429, 503]
        if "{" in path:
            statuses.append(404)
        if self.method not in SAFE_METHODS:  # its body is read, even if it needs none
            statuses += [408, 411, 413, 415]
        if self._takes_key():
            statuses += [409, 422]
        return statuses

    def get_override_parameters(self) -> list[Any]:
        """Return the idempotency headers of a view that supports them."""
        return [IDEMPOTENCY_KEY, _REPLAYED] if self._takes_key() else []

    def _takes_key(self) -> bool:
        """Return whether the operation supports an Idempotency-Key."""
        handlers = vars(type(self.view)).values()
        return self.method == "POST" and any(hasattr(handler, "takes_key") for handler in handlers)

    def get_paginated_name(self, serializer_name: str) -> str:
        """Return the name of a page's schema."""
        return f"{serializer_name}Page"

    def _insert_field_validators(self, field: Any, schema: Described) -> None:
        if not isinstance(field, DescribedField):  # which is complete by itself
            super()._insert_field_validators(field, schema)

    def _postprocess_serializer_schema(
        self, schema: Described, serializer: Any, direction: Any
    ) -> Described:
        if getattr(serializer, "strict", False):
            schema["additionalProperties"] = False
        for member in schema.get("properties", {}).values():
            member.pop("readOnly", None)  # never part of a response
        return super()._postprocess_serializer_schema(schema, serializer, direction)

    def _get_request_for_media_type(
        self, serializer: Any, direction: Any = "request"
    ) -> tuple[Described | None, bool]:
        schema, required = super()._get_request_for_media_type(serializer, direction)
        return schema, required or serializer is OpenApiTypes.STR


class DescribedFields(OpenApiSerializerFieldExtension):
    """Describes Pave's own fields by their schemas."""

    target_class = DescribedField
    match_subclasses = True

    def get_name(self) -> str | None:
        """Return the name of the schema, if it is shared."""
        return self.target.component or None

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Described:
        """Return the schema."""
        return copy.deepcopy(self.target.described)


class ApiKeys(OpenApiAuthenticationExtension):
    """Describes the authentication by API key."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> Described:
        """Return the scheme."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key` and the key, such as `Api-Key Zk3vQ8tY.wLrXb6NcPs…`.",
        }


def complete(result: Described, generator: Any, **kwargs: Any) -> Described:
    """Add what drf-spectacular leaves out (a hook).

    These are the schemas of webhooks, which it processes only after collecting the others, and the
    probes for a load balancer, which are no REST framework views.
    """
    result["components"] = generator.registry.build({})
    for path, name, summary, answers in (
        ("/livez", "getLiveness", "Whether the process serves requests", {"200": "It does."}),
        (
            "/readyz",
            "getReadiness",
            "Whether Pave's parts are available",
            {"200": "They are.", "503": "A required part is not; it is named."},
        ),
    ):
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
        operation = {
            "operationId": name,
            "tags": ["Operations"],
            "summary": summary,
            "description": "For a load balancer; needs no key.",
            "security": [],
            "responses": {"400": {"$ref": "#/components/responses/BadRequest"}}
            | {
                status: {"description": text, "content": content}
                for status, text in answers.items()
            },
        }
        result["paths"][path] = {"get": operation}
    result["components"]["schemas"]["Health"] = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"type": "string"}},
    }
    return result
