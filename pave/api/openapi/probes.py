"""The probes for a load balancer, as the API's description has them."""

from pave.api.openapi.registry import content, obj, plain_path, text

_STATUS = obj({"status": text()})
plain_path(
    "/livez",
    {
        "get": {
            "operationId": "getLiveness",
            "tags": ["Operations"],
            "summary": "Whether the process serves requests",
            "security": [],
            "responses": {"200": {"description": "It does.", "content": content(_STATUS)}},
        }
    },
)
plain_path(
    "/readyz",
    {
        "get": {
            "operationId": "getReadiness",
            "tags": ["Operations"],
            "summary": "Whether the database and the cache are there",
            "security": [],
            "responses": {
                "200": {"description": "They are.", "content": content(_STATUS)},
                "503": {"description": "One is not; it is named.", "content": content(_STATUS)},
            },
        }
    },
)
