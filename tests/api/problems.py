"""What every refusal of the API looks like."""

import json
from typing import Any


def problem(response: Any, status: int, pointer: str | None = None) -> dict[str, Any]:
    """Assert that a response is a problem of ``status`` (and names ``pointer``); return it."""
    assert response.status_code == status, (response.status_code, response.content)
    assert response["content-type"] == "application/problem+json"
    body = json.loads(response.content)
    assert {"type", "title", "status", "detail"} <= set(body)
    assert body["status"] == status
    if pointer is not None:
        assert pointer in [error["pointer"] for error in body.get("errors", [])], body
    return body
