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
from webhooks.delivery.results import INTERRUPTED
from webhooks.event_types import EVENT_TYPES
from webhooks.http.outcome import ErrorClass
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
            for media_type, form in followed(part).get("content", {}).items():
                yield f"{name} {media_type}", form


def followed(described: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference stands for."""
    if "$ref" not in described:
        return described
    _, _, section, name = described["$ref"].split("/")
    return SCHEMA["components"][section][name]


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
        if operation.get("security") == []:
            continue
        statuses = set(operation["responses"])
        assert {"400", "401", "403", "429", "503"} <= statuses, name
        assert ({"408", "411", "413", "415"} <= statuses) is not name.startswith("get "), name
        assert "404" in statuses or "{" not in name, name
        keys = [one["name"] for one in operation.get("parameters", ())]
        assert {"409", "422"} <= statuses or "Idempotency-Key" not in keys, name


def test_each_problem_has_an_example_of_its_own() -> None:
    details = {}
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            form = followed(answer).get("content", {}).get("application/problem+json")
            if form is None:
                continue
            [example] = (
                [form.get("example")]
                if "example" in form
                else [entry["value"] for entry in form["examples"].values()]
            )
            assert example["status"] == int(status), name
            assert details.setdefault(example["detail"], status) == status
    assert set(details.values()) == {
        "400", "401", "403", "404", "408", "409", "411", "413", "415", "422", "429", "503"
    }  # fmt: skip


TAKEN = ["a", "8e03978e-40d5", '"a b"', '"a,\\"b\\""', "a/b=~!", "x" * 255, f'"{"x" * 255}"']
REFUSED = ["", "a b", "a,b", '"', '""', '"a"b"', "a\\b", "x" * 256, f'"{"x" * 256}"', "h\u00e9"]


@pytest.mark.django_db
@pytest.mark.parametrize("key", [*TAKEN, *REFUSED])
def test_the_pattern_of_an_idempotency_key_is_what_the_server_takes(api, key: str) -> None:
    [described] = [
        one
        for one in SCHEMA["paths"]["/v1/normalizations"]["post"]["parameters"]
        if one["name"] == "Idempotency-Key"
    ]
    body = {"description": "NETFLIX.COM"}
    response = api.post("/v1/normalizations", body, format="json", HTTP_IDEMPOTENCY_KEY=key)
    fits = re.search(described["schema"]["pattern"], key) is not None
    assert (fits, response.status_code) == ((True, 202) if key in TAKEN else (False, 400))


def test_what_an_attempt_may_end_with_is_listed() -> None:
    error = SCHEMA["components"]["schemas"]["Attempt"]["properties"]["error"]
    assert set(error["x-extensible-enum"]) == {*ErrorClass, INTERRUPTED}


def test_only_what_clients_send_is_a_closed_list_and_each_has_a_name() -> None:
    """A word that is new in an answer must break no client that was generated before."""
    schemas = SCHEMA["components"]["schemas"]
    closed = {name for name in schemas if "enum" in schemas[name]}
    for name, operation in operations():
        for answer in operation["responses"].values():
            reached = json.dumps(list(parts_of(answer)))
            assert '"enum"' not in reached, name
    within = json.dumps([schemas[name] for name in schemas.keys() - closed])
    assert '"enum"' not in within + json.dumps(SCHEMA["paths"])


def parts_of(described: Any) -> Iterator[Any]:
    """Yield all that something described is made of, each schema once."""
    waiting, seen = [described], set()
    while waiting:
        part = waiting.pop()
        yield part
        for ref in set(re.findall(r'"(#/components/[^"]+)"', json.dumps(part))) - seen:
            seen.add(ref)
            waiting.append(followed({"$ref": ref}))


@pytest.mark.parametrize(("place", "form"), list(bodies()))
def test_examples_are_valid(place: str, form: dict[str, Any]) -> None:
    examples = [entry["value"] for entry in form.get("examples", {}).values()]
    if "example" in form:
        examples.append(form["example"])
    for example in examples:
        Draft202012Validator(resolved(form["schema"])).validate(example)
        assert list(unlisted(example, form["schema"])) == []


def deref(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and of alternatives take the one that is an object."""
    if "$ref" in schema:
        return deref(followed(schema))
    for option in map(deref, schema.get("oneOf", [])):
        if option.get("type") == "object":
            return option
    return schema


def unlisted(value: Any, schema: dict[str, Any], place: str = "") -> Iterator[str]:
    """Yield the words of an answer that the description does not list."""
    schema = deref(schema)
    if isinstance(value, list):
        for one in value:
            yield from unlisted(one, schema.get("items", {}), f"{place}[]")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from unlisted(member, schema.get("properties", {}).get(name, {}), name)
    elif value is not None and value not in schema.get("x-extensible-enum", [value]):
        yield f"{place}: {value}"


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
        assert list(unlisted(response.json(), form["schema"])) == [], path
        Draft202012Validator(resolved(form["schema"])).validate(response.json())
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


@pytest.mark.parametrize("path", ["/v1/normalizations", "/v1/batches", "/v1/webhooks"])
def test_a_route_takes_only_what_is_described(api, path):
    answer = api.options(path)
    assert answer.status_code == 405
    assert answer["allow"] == "GET, POST, HEAD"
