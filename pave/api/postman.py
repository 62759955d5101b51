"""The API's description as a Postman collection (version 2.1). Pure."""

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Described = dict[str, Any]

_FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def collection(schema: Described) -> Described:
    """Return the collection of an OpenAPI description: a folder for each tag, in its order."""
    folders: dict[str, list[Described]] = {tag["name"]: [] for tag in schema["tags"]}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            folders[operation["tags"][0]].append(_item(path, method, operation))
    return {
        "info": {
            "_postman_id": str(uuid5(NAMESPACE_URL, schema["info"]["title"])),
            "name": schema["info"]["title"],
            "description": schema["info"]["description"],
            "schema": _FORMAT,
        },
        "auth": {
            "type": "apikey",
            "apikey": [
                {"key": "key", "value": "Authorization", "type": "string"},
                {"key": "value", "value": "Api-Key {{apiKey}}", "type": "string"},
                {"key": "in", "value": "header", "type": "string"},
            ],
        },
        "variable": [
            {"key": "baseUrl", "value": "http://localhost:9898"},
            {"key": "apiKey", "value": ""},
        ],
        "item": [
            {"name": tag["name"], "description": tag["description"], "item": folders[tag["name"]]}
            for tag in schema["tags"]
            if folders[tag["name"]]
        ],
    }


def as_text(document: Described) -> str:
    """Return a collection as text, as stored in ``docs/``."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _item(path: str, method: str, operation: Described) -> Described:
    parameters = operation.get("parameters", [])
    headers = [_pair(parameter) for parameter in parameters if parameter["in"] == "header"]
    request: Described = {
        "method": method.upper(),
        "description": operation.get("description", operation["summary"]),
        "url": _url(path, parameters),
    }
    contents = operation.get("requestBody", {}).get("content", {})
    if contents:
        media_type, content = next(iter(contents.items()))
        headers.append({"key": "Content-Type", "value": media_type})
        example = _example(content, {})
        raw = example if isinstance(example, str) else json.dumps(example, indent=2)
        language = "json" if media_type == "application/json" else "text"
        request["body"] = {
            "mode": "raw",
            "raw": raw,
            "options": {"raw": {"language": language}},
        }
    request["header"] = headers
    return {"name": operation["summary"], "request": request, "response": []}


def _url(path: str, parameters: list[Described]) -> Described:
    steps = [
        f":{step[1:-1]}" if step.startswith("{") else step for step in path.strip("/").split("/")
    ]
    url: Described = {
        "raw": "{{baseUrl}}/" + "/".join(steps),
        "host": ["{{baseUrl}}"],
        "path": steps,
    }
    if query := [_pair(parameter) for parameter in parameters if parameter["in"] == "query"]:
        url["query"] = query
    in_path = [parameter for parameter in parameters if parameter["in"] == "path"]
    if in_path:
        url["variable"] = [{"key": parameter["name"], "value": ""} for parameter in in_path]
    return url


def _pair(parameter: Described) -> Described:
    """Return a header or a query parameter, disabled by default."""
    return {
        "key": parameter["name"],
        "value": _example(parameter, ""),
        "description": parameter.get("description", ""),
        "disabled": True,
    }


def _example(described: Described, none: Any) -> Any:
    """Return the first example of a body or a parameter."""
    examples: Described = described.get("examples", {})
    return next((example["value"] for example in examples.values()), none)
