"""The OpenAPI description: how operations are described, and how the whole is put together.

drf-spectacular walks the routes; what each does is told by modules of the apps, which their
``describe_routes`` import, with the words of this module. A route that nobody describes is an
error, so the description is complete.
"""

import copy
from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.views import APIView

from pave.core.app_config import pave_apps

Described = dict[str, Any]

_operations: dict[tuple[type[APIView], str], Described] = {}
_schemas: dict[str, Described] = {}
_webhooks: dict[str, Described] = {}
_plain_paths: dict[str, Described] = {}

# --- Words for schemas ----------------------------------------------------------------------


def ref(name: str) -> Described:
    """Return a reference to a schema that is told under ``name``."""
    return {"$ref": f"#/components/schemas/{name}"}


def obj(
    properties: dict[str, Described], *, optional: tuple[str, ...] = (), **more: Any
) -> Described:
    """Return an object's schema; all properties are there but those named optional."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        **({"required": required} if required else {}),
        "properties": properties,
        **more,
    }


def array(items: Described, **more: Any) -> Described:
    """Return a list's schema."""
    return {"type": "array", "items": items, **more}


def text(description: str = "", **more: Any) -> Described:
    """Return a string's schema."""
    return {"type": "string", **({"description": description} if description else {}), **more}


def number(kind: str, description: str = "", **more: Any) -> Described:
    """Return the schema of an ``integer`` or a ``number``."""
    return {"type": kind, **({"description": description} if description else {}), **more}


def identifier(description: str = "") -> Described:
    """Return an id's schema."""
    return text(description, format="uuid")


def moment(description: str = "") -> Described:
    """Return a time's schema."""
    return text(description, format="date-time")


def one_of(words: list[str] | tuple[str, ...], description: str = "") -> Described:
    """Return the schema of one of a few words."""
    return text(description, enum=list(words))


def nullable(schema: Described) -> Described:
    """Return the schema of a value that may be null."""
    if "$ref" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    changed = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        changed["enum"] = [*schema["enum"], None]
    return changed


def page(name: str) -> Described:
    """Return the schema of a page of a list."""
    cursor = nullable(text("Goes into the query as `cursor`; null where there is no such page."))
    return obj({"data": array(ref(name)), "next_cursor": cursor, "previous_cursor": cursor})


# --- Words for operations -------------------------------------------------------------------

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes it safe to send the request again: the first answer is replayed for "
    "24 hours. In quotes or not.",
    "schema": text(minLength=1, maxLength=255, pattern="^[A-Za-z0-9_.:-]+$"),
    "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
}
PAGING = [
    {
        "name": "cursor",
        "in": "query",
        "description": "The `next_cursor` or `previous_cursor` of a page of this list.",
        "schema": text(minLength=1),
    },
    {
        "name": "limit",
        "in": "query",
        "description": "How many on a page.",
        "schema": number("integer", minimum=1, maximum=200, default=50),
    },
]
LOCATION = {
    "Location": {
        "description": "The path of what was made.",
        "schema": text(format="uri-reference"),
    }
}
REPLAYED = {
    "Idempotency-Replayed": {
        "description": "`true` where this is the first answer once more.",
        "schema": one_of(["true"]),
    }
}
_LIMIT_FIELDS = {
    "RateLimit-Policy": {
        "description": "The client's rate, where it has one: `q` requests in `w` seconds.",
        "schema": text(),
    },
    "RateLimit": {
        "description": "What is left of it: `r` requests, all of them again in `t` seconds.",
        "schema": text(),
    },
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": number("integer")}}


def param(
    name: str, schema: Described, description: str = "", *, where: str = "query", **more: Any
) -> Described:
    """Return a parameter; one in the path is required."""
    return {
        "name": name,
        "in": where,
        **({"required": True} if where == "path" else {}),
        **({"description": description} if description else {}),
        "schema": schema,
        **more,
    }


def content(schema: Described, media_type: str = "application/json", **more: Any) -> Described:
    """Return the content of a body; ``example`` or ``examples`` may be among ``more``."""
    return {media_type: {"schema": schema, **more}}


def answer(
    description: str, body: Described | None = None, headers: Described | None = None
) -> Described:
    """Return one answer of an operation."""
    return {
        "description": description,
        "headers": {**(headers or {}), **_LIMIT_FIELDS},
        **({"content": body} if body else {}),
    }


def operation(
    name: str,
    tag: str,
    summary: str,
    description: str = "",
    *,
    answers: dict[int, Described],
    problems: tuple[int, ...] = (),
    parameters: list[Described] | tuple[Described, ...] = (),
    body: Described | None = None,
    body_required: bool = True,
    **more: Any,
) -> Described:
    """Return an operation.

    Args:
        name: Its ``operationId``.
        tag: The group that it is shown in.
        summary: A few words.
        description: Markdown.
        answers: Those that are no problem, by status.
        problems: Statuses of problems beside those that every operation can give, or every one
            with a body.
        parameters: In the path, query and headers.
        body: The content of the request's body.
        body_required: Whether there must be one.
        more: Other members.
    """
    statuses = {400, 401, 403, 429, 503, *problems, *({408, 411, 413, 415} if body else ())}
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        **({"description": description} if description else {}),
        "parameters": [*parameters],
        **({"requestBody": {"required": body_required, "content": body}} if body else {}),
        "responses": {
            **{str(status): found for status, found in answers.items()},
            **{str(status): _problem(status) for status in sorted(statuses)},
        },
        "security": [{"ApiKey": []}],
        **more,
    }


def _problem(status: int) -> Described:
    headers = dict(_LIMIT_FIELDS) if status == 429 else {}
    if status in (429, 503):
        headers |= _RETRY_AFTER
    if status == 401:
        headers["WWW-Authenticate"] = {"schema": text()}
    return {
        "description": HTTPStatus(status).phrase,
        **({"headers": headers} if headers else {}),
        "content": content(ref("Problem"), "application/problem+json"),
    }


# --- What is told ---------------------------------------------------------------------------


def describe(view: type[APIView], **operations: Described) -> None:
    """Tell what a view does, by method (``get``, ``post``, …)."""
    for method, described in operations.items():
        _operations[view, method] = described


def schemas(**named: Described) -> None:
    """Tell schemas that operations refer to."""
    _schemas.update(named)


def webhook(name: str, described: Described) -> None:
    """Tell a message that Pave sends."""
    _webhooks[name] = described


def plain_path(path: str, described: Described) -> None:
    """Tell a route that is no view of REST framework's."""
    _plain_paths[path] = described


class Schema(AutoSchema):
    """Describes an operation as it has been told."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> Described:
        """Return the operation.

        Raises:
            LookupError: Nobody has told what it does.
        """
        key = (type(self.view), method.lower())
        if key not in _operations:
            raise LookupError(f"{key[1]} of {key[0].__name__} is not described.")
        return copy.deepcopy(_operations[key])


def load(endpoints: list[Any]) -> list[Any]:
    """Have the apps tell what their routes do (a hook before the routes are walked)."""
    for app in pave_apps():
        app.describe_routes()
    return endpoints


def complete(result: Described, **kwargs: Any) -> Described:
    """Add what is no operation (a hook after the routes have been walked)."""
    result["paths"] |= copy.deepcopy(_plain_paths)
    result["components"] = {
        "schemas": copy.deepcopy(_schemas),
        "securitySchemes": {
            "ApiKey": {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "`Api-Key` and the key, such as `Api-Key Zk3vQ8tY.wLrXb6NcPs…`.",
            }
        },
    }
    result["webhooks"] = copy.deepcopy(_webhooks)
    return result
