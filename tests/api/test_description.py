import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import URLPattern, get_resolver
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from merchants.models import Alias, Batch, Merchant
from merchants.requests import admission, worker
from pave.api.openapi.views import description
from webhooks.event_types import EVENT_TYPES
from webhooks.models import Delivery

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads(description())
NOT_DESCRIBED = {"/admin/", "/docs", "/openapi.json", "/metrics", "/"}
# Contract, section 2.
PROMISED = {
    ("post", "/normalize_merchant"),
    ("post", "/create_webhook"),
    ("post", "/v1/normalizations"),
    ("get", "/v1/normalizations"),
    ("get", "/v1/normalizations/{request_id}"),
    ("post", "/v1/normalizations/{request_id}/cancel"),
    ("post", "/v1/normalizations/{request_id}/feedback"),
    ("post", "/v1/batches"),
    ("get", "/v1/batches/{batch_id}"),
    ("get", "/v1/batches/{batch_id}/results"),
    ("get", "/v1/webhooks"),
    ("post", "/v1/webhooks"),
    ("get", "/v1/webhooks/{webhook_id}"),
    ("patch", "/v1/webhooks/{webhook_id}"),
    ("delete", "/v1/webhooks/{webhook_id}"),
    ("post", "/v1/webhooks/{webhook_id}/rotate-secret"),
    ("post", "/v1/webhooks/{webhook_id}/test"),
    ("post", "/v1/webhooks/{webhook_id}/recover"),
    ("get", "/v1/webhooks/{webhook_id}/deliveries"),
    ("get", "/v1/deliveries/{delivery_id}"),
    ("post", "/v1/deliveries/{delivery_id}/retry"),
    ("get", "/v1/merchants"),
    ("get", "/v1/merchants/{merchant_id}"),
    ("get", "/v1/usage"),
    ("get", "/livez"),
    ("get", "/readyz"),
}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for section in ("paths", "webhooks"):
        for path, methods in SCHEMA[section].items():
            for method, operation in methods.items():
                yield f"{method} {path}", operation


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each body that is described: where it is, and its schema and examples."""
    for name, operation in operations():
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media_type, form in part.get("content", {}).items():
                yield f"{name} {media_type}", form


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": SCHEMA["components"]}


def test_it_is_openapi_3_1() -> None:
    assert SCHEMA["openapi"].startswith("3.1")
    validate(SCHEMA)


def test_every_promised_route_is_there() -> None:
    described = {(method, path) for path, methods in SCHEMA["paths"].items() for method in methods}
    assert described >= PROMISED


def test_every_route_that_there_is_is_described() -> None:
    routes = {
        "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        for include in get_resolver().url_patterns
        for pattern in getattr(include, "url_patterns", [include])
        if isinstance(pattern, URLPattern) and not str(include.pattern).startswith("admin")
    }
    assert routes - NOT_DESCRIBED == set(SCHEMA["paths"])


def test_every_event_that_is_sent_is_described() -> None:
    assert set(SCHEMA["webhooks"]) == set(EVENT_TYPES)


def test_every_operation_has_a_name_of_its_own_and_says_what_can_go_wrong() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(names) == len(set(names))
    for name, operation in operations():
        if operation.get("security") != []:
            assert {"401", "429"} <= set(operation["responses"]), name


@pytest.mark.parametrize(("place", "form"), list(bodies()))
def test_examples_are_valid(place: str, form: dict[str, Any]) -> None:
    if "example" in form:
        Draft202012Validator(resolved(form["schema"])).validate(form["example"])


@pytest.mark.parametrize("name", list(SCHEMA["components"]["schemas"]))
def test_examples_of_schemas_are_valid(name: str) -> None:
    schema = SCHEMA["components"]["schemas"][name]
    for example in schema.get("examples", []):
        Draft202012Validator(resolved(schema)).validate(example)


def deref(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and of alternatives take the one that is an object."""
    if "$ref" in schema:
        return deref(SCHEMA["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for option in map(deref, schema.get("oneOf", [])):
        if option.get("type") == "object":
            return option
    return schema


def undescribed(value: Any, schema: dict[str, Any], place: str = "") -> Iterator[str]:
    """Yield the members of an answer that its description does not have."""
    schema = deref(schema)
    if isinstance(value, list):
        for one in value:
            yield from undescribed(one, schema.get("items", {}), f"{place}[]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, member in value.items():
            if name not in schema["properties"]:
                yield f"{place}.{name}"
            else:
                yield from undescribed(member, schema["properties"][name], f"{place}.{name}")


@pytest.mark.django_db
def test_answers_have_no_member_that_is_not_described(api, webhook) -> None:
    merchant = Merchant.objects.create(name="Blue Bottle", mccs=["5814"])
    Alias.objects.create(merchant=merchant, text="BLUE BOTTLE")
    row = {"description": "NETFLIX.COM", "amount": "1.00", "reference": "r"}
    api.post("/v1/batches", {"transactions": [row], "deliver": "each"}, format="json")
    while admission.admit_batch() or worker.resolve_due():
        pass
    ids = {
        "request_id": api.get("/v1/normalizations").json()["data"][0]["request_id"],
        "batch_id": str(Batch.objects.get().pk),
        "webhook_id": str(webhook.pk),
        "delivery_id": str(Delivery.objects.first().pk),
        "merchant_id": str(merchant.pk),
    }
    looked_at = set()
    for path, methods in SCHEMA["paths"].items():
        known = re.findall(r"{(\w+)}", path)
        if "get" not in methods or not path.startswith("/v1/") or not set(known) <= set(ids):
            continue
        form = methods["get"]["responses"]["200"]["content"].get("application/json")
        if form is None:
            continue
        response = api.get(path.format(**ids))
        assert response.status_code == 200, path
        assert list(undescribed(response.json(), form["schema"])) == [], path
        looked_at.add(path)
    assert len(looked_at) >= 9


def test_the_routes_answer_the_description_and_a_page(client) -> None:
    response = client.get("/openapi.json")
    assert response["content-type"] == "application/json"
    assert response.json() == SCHEMA
    page = client.get("/docs").content.decode()
    assert "http://testserver" in page


def test_the_page_loads_nothing_from_elsewhere(client) -> None:
    page = client.get("/docs").content.decode()
    loaded = re.findall(r'(?:src|(?<=rel="stylesheet" )href|(?<=rel="icon" )href)="([^"]+)"', page)
    assert len(loaded) == 5
    for address in loaded:
        assert address.startswith("/static/")
        assert client.get(address).status_code in (200, 404)


def test_the_postman_collection_is_current() -> None:
    made = io.StringIO()
    call_command("postman_collection", stdout=made)
    kept = (ROOT / "docs" / "pave.postman_collection.json").read_text()
    assert kept == made.getvalue(), "run: make postman"
