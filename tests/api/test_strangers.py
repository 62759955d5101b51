"""A stranger with a good key, at every route of another client's objects: 404, and no change."""

import json
from contextlib import ExitStack

import pytest
from django.utils import timezone

from merchants.models import Batch
from pave.api.views import GENERAL
from tests.api.problems import problem
from tests.api.test_description import SCHEMA
from tests.factories import (
    DeliveryFactory,
    EventFactory,
    NormalizationRequestFactory,
    SigningSecretFactory,
    WebhookFactory,
)
from webhooks.models import Recovery

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

# The catalogue is everybody's.
SHARED = {"/v1/merchants/{merchant_id}"}
ROUTES = [
    (method, path)
    for path, methods in SCHEMA["paths"].items()
    for method in methods
    if "{" in path and path not in SHARED
]
WITH_A_KEY = [
    (method, path)
    for path, methods in SCHEMA["paths"].items()
    for method, operation in methods.items()
    if operation.get("security") != []
]
UNSAFE = [(method, path) for method, path in WITH_A_KEY if method != "get"]
WITH_A_BODY = [
    (method, path) for method, path in WITH_A_KEY if "requestBody" in SCHEMA["paths"][path][method]
]
BODIES = {
    "/v1/webhooks/{webhook_id}": {"enabled": False},
    "/v1/webhooks/{webhook_id}/recover": {"since": "2026-01-01T00:00:00Z"},
    "/v1/normalizations/{request_id}/feedback": {"merchant": "X"},
}


@pytest.fixture
def mine(client_1234):
    """The ids of client 1234's objects, by the name that paths give them."""
    webhook = WebhookFactory(client=client_1234.client)
    SigningSecretFactory(webhook=webhook)
    event = EventFactory(client=client_1234.client)
    now = timezone.now()
    return {
        "request_id": NormalizationRequestFactory(client=client_1234.client),
        "batch_id": Batch.objects.create(client=client_1234.client, created_at=now),
        "webhook_id": webhook,
        "delivery_id": DeliveryFactory(webhook=webhook, event=event),
        "recovery_id": Recovery.objects.create(
            webhook=webhook, since=now, until=now, total=0, created_at=now
        ),
    }


def send(api, method, path, ids):
    filled = path.format(**{name: row.pk for name, row in ids.items()})
    body = json.dumps(BODIES.get(path, {})) if method != "get" else ""
    return read(api.generic(method.upper(), filled, body, content_type="application/json"))


def read(response):
    """Read a streamed answer to its end, since it keeps a slot until then."""
    if response.streaming:
        response.getvalue()
    return response


def values_of(rows):
    return {name: type(row).objects.filter(pk=row.pk).values().get() for name, row in rows.items()}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_stranger_finds_nothing_and_changes_nothing(stranger_api, mine, method, path):
    before = values_of(mine)
    problem(send(stranger_api, method, path, mine), 404)
    assert values_of(mine) == before


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[0] == "get"])
def test_the_owner_finds_it(api, mine, method, path):
    assert send(api, method, path, mine).status_code == 200


@pytest.mark.parametrize("path", ["/v1/normalizations", "/v1/batches", "/v1/webhooks"])
def test_a_strangers_lists_are_empty(stranger_api, mine, path):
    assert stranger_api.get(path).json()["data"] == []


@pytest.mark.parametrize("query", ["batch={batch_id}", "reference=r-1"])
def test_a_filter_by_anothers_object_finds_nothing(stranger_api, client_1234, mine, query):
    NormalizationRequestFactory(client=client_1234.client, batch=mine["batch_id"], reference="r-1")
    filled = query.format(**{name: row.pk for name, row in mine.items()})
    assert stranger_api.get(f"/v1/normalizations?{filled}").json()["data"] == []


def call(api, method, path, mine, body="", **headers):
    ids = {**mine, "merchant_id": mine["webhook_id"]}
    filled = path.format(**{name: row.pk for name, row in ids.items()})
    return read(
        api.generic(method.upper(), filled, body, content_type="application/json", **headers)
    )


@pytest.mark.parametrize(("method", "path"), WITH_A_KEY)
def test_a_client_at_its_limit_waits_and_others_do_not(
    api, stranger_api, client_1234, mine, method, path
):
    """But for a post and a look at its answer, which are short, and batches, which count apart."""
    short = {
        ("post", "/normalize_merchant"),
        ("post", "/v1/normalizations"),
        ("get", "/v1/normalizations/{request_id}"),
    }
    with ExitStack() as slots:
        for _ in range(3):
            slots.enter_context(GENERAL.slot(client_1234.client.pk))
        response = call(api, method, path, mine)
        if (method, path) in short | {("post", "/v1/batches")}:
            assert response.status_code not in (429, 503)
        else:
            assert response["retry-after"] == "1"
            problem(response, 429)
        assert call(stranger_api, method, path, mine).status_code not in (429, 503)
    assert call(api, method, path, mine).status_code not in (429, 503)


@pytest.mark.parametrize("client_id", ["stranger", "nobody", "", 5, True, ["1234"], {"1234": 1}])
@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_a_body_that_names_another_client_is_403_before_it_is_looked_at(
    api, mine, method, path, client_id
):
    wrong = {"client_id": client_id, "transactions": 5, "url": 5, "nonsense": []}
    before = values_of(mine)
    problem(call(api, method, path, mine, json.dumps(wrong)), 403)
    assert values_of(mine) == before


@pytest.mark.parametrize(("method", "path"), WITH_A_BODY)
def test_a_body_that_names_ones_own_or_no_client_is_looked_at(api, mine, method, path):
    for client_id in ("1234", 1234, None):
        body = json.dumps({"client_id": client_id, "nonsense": 5, "url": 5})
        assert call(api, method, path, mine, body).status_code in (400, 404)


@pytest.mark.parametrize(("method", "path"), WITH_A_KEY)
def test_a_header_that_names_another_client_is_403(api, mine, method, path):
    problem(call(api, method, path, mine, "{", HTTP_CLIENT_ID="stranger"), 403)
    problem(call(api, method, path, mine, "{", HTTP_CLIENT_ID=""), 403)


@pytest.mark.parametrize(("method", "path"), WITH_A_KEY)
def test_without_a_key_every_route_is_401(client, mine, method, path):
    problem(call(client, method, path, mine), 401)
