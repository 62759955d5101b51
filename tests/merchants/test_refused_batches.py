"""What a batch is refused for, whole or row by row."""

import pytest
from django.utils import timezone

from merchants.models import Batch, NormalizationRequest
from merchants.requests import batches, completion
from tests.api.problems import problem
from tests.factories import DeliveryFactory, WebhookFactory
from tests.merchants.batching import CSV, JSON, MEDIA_TYPES, NDJSON, ROWS, post
from tests.merchants.cluster import run_cluster
from webhooks.models import Delivery

pytestmark = [pytest.mark.django_db, pytest.mark.storage, pytest.mark.usefixtures("first_word")]


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_bad_rows_are_reported_by_line_and_good_ones_taken(api, media_type):
    rows = [ROWS[0], {"description": "X", "amount": "twelve"}, {"description": ""}, ROWS[1]]
    body = post(api, rows, media_type).json()
    assert (body["counts"]["accepted"], body["counts"]["rejected"]) == (2, 2)
    first_line = {JSON: None, NDJSON: 2, CSV: 3}[media_type]
    assert body["errors"][0] == {
        "row": 2,
        "line": first_line,
        "pointer": "/amount",
        "detail": 'Must be a decimal number, such as "12.99".',
    }
    assert (body["errors"][1]["row"], body["errors"][1]["pointer"]) == (3, "/description")
    assert [request.row for request in NormalizationRequest.objects.order_by("row")] == [1, 4]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (JSON, b""),
        (JSON, b"{}"),
        (JSON, b"[]"),
        (JSON, b'{"transactions": []}'),
        (JSON, b'{"transactions": null}'),
        (JSON, b'{"transactions": "x"}'),
        (JSON, b'{"transactions": [{"description": "A"}'),
        (JSON, b'{"transactions": [{"description": "A"},]}'),
        (JSON, b'{"transactions": [{"description": "A"}]} more'),
        (JSON, b'{"transactions": [{"description": "A"}], "transactions": []}'),
        (JSON, b'{"transactions": [{"description": "A"}], "deliver": "some"}'),
        (JSON, b'{"transactions": [{"description": "A", "amount": NaN}]}'),
        (JSON, b'{"transactions": [{"description": "\xff"}]}'),
        (JSON, b'{"transactions": [' + b"[" * 100_000),
        (NDJSON, b""),
        (NDJSON, b"\n\n"),
        (NDJSON, b"not json\n"),
        (NDJSON, b'{"description": "A"}\n\xff\n'),
        (NDJSON, b"x" * 70_000),
        (CSV, b""),
        (CSV, b"amount\n1\n"),
        (CSV, b"description,description\nA,B\n"),
        (CSV, b"description\n"),
        (CSV, b'description\n"A\n'),
        (CSV, b'description\n"A"B\n'),
        (CSV, b"description\nA\n\xff\n"),
    ],
)
def test_a_broken_body_is_refused_whole(api, media_type, body):
    problem(api.post("/v1/batches", body, content_type=media_type), 400)
    assert not NormalizationRequest.objects.exists()
    assert not Batch.objects.exists()


def test_where_no_row_is_good_the_problem_lists_why(api):
    body = problem(post(api, [{"description": ""}, {"amount": "1"}]), 400)
    assert [(error["row"], error["line"], error["pointer"]) for error in body["errors"]] == [
        (1, 1, "/description"),
        (2, 2, "/description"),
    ]
    assert not Batch.objects.exists()


def test_a_line_that_is_not_json_is_a_bad_row(api):
    lines = b'{"description": "A"}\n{oops\n\n[1]\n{"description": "B"}\n'
    body = api.post("/v1/batches", lines, content_type=NDJSON).json()
    assert body["counts"]["accepted"] == 2
    assert [(error["row"], error["line"], error["pointer"]) for error in body["errors"]] == [
        (2, 2, ""),
        (3, 4, ""),
    ]


def test_more_rows_than_allowed_are_413_and_nothing_is_taken(api, monkeypatch):
    monkeypatch.setattr(batches, "MAX_ROWS", 2)
    problem(post(api, ROWS), 413)
    assert not NormalizationRequest.objects.exists()


def test_a_body_over_the_limit_is_413(api, settings):
    settings.PAVE_MAX_UPLOAD = 1000
    problem(post(api, [{"description": "x" * 100}] * 20), 413)


@pytest.mark.parametrize(
    "media_type",
    ["application/xml", "text/csv; charset=latin-1", "multipart/form-data; boundary=x"],
)
def test_another_media_type_or_charset_is_415(api, media_type):
    problem(api.post("/v1/batches", b"description\nA\n", content_type=media_type), 415)


def test_a_row_or_body_that_names_another_client_is_refused(api):
    rows = [{"description": "A", "client_id": "4321"}, {"description": "B", "client_id": "1234"}]
    body = post(api, rows).json()
    assert (body["counts"]["accepted"], body["errors"][0]["pointer"]) == (1, "/client_id")
    for named in (
        b'{"client_id": "4321", "transactions": [{"description": "A"}]}',
        b'{"transactions": [{"description": "A"}, {"description": ""}], "client_id": "4321"}',
        b'{"client_id": ["1234"], "transactions": "none"}',
        b'{"client_id": 5, "transactions": []}',
        b'{"client_id": "4321", nonsense',
    ):
        problem(api.post("/v1/batches", named, content_type=JSON), 403)
    assert Batch.objects.count() == 1


def test_no_more_errors_are_kept_than_can_be_read(api, monkeypatch):
    monkeypatch.setattr(batches, "MAX_ERRORS", 3)
    body = post(api, [{"description": ""}] * 5 + ROWS[:1]).json()
    assert (len(body["errors"]), body["counts"]["rejected"]) == (3, 5)


@pytest.mark.parametrize("key", ["\\ud800", "a\\u0000b", "4111111111111111"])
def test_a_key_that_cannot_be_kept_is_the_error_of_its_row_alone(api, key):
    """What is wrong with a name must not be what the error is stored and sent with."""
    odd = f'{{"description": "A", "metadata": {{"{key}": 1}}}}'
    single = api.generic("POST", "/v1/normalizations", odd, content_type="application/json")
    assert single.status_code == 400
    hook = f'{{"url": "http://127.0.0.1:9/x", "headers": {{"{key}": "x\\u0000"}}}}'
    refused = api.generic("POST", "/v1/webhooks", hook, content_type="application/json")
    assert refused.status_code == 400
    body = f'{odd}\n{{"description": "NETFLIX"}}\n'
    answer = api.generic("POST", "/v1/batches", body, content_type="application/x-ndjson")
    assert answer.status_code == 202
    run_cluster()
    batch = api.get(f"/v1/batches/{answer.json()['id']}").json()
    assert (batch["status"], batch["counts"]["rejected"]) == ("completed", 1)
    assert batch["errors"][0]["pointer"].startswith("/metadata/")
    assert "4111111111111111" not in single.content.decode() + str(batch)


@pytest.mark.parametrize(
    "name", ["~" * 131_000, "\U0001f600" * 40_000, "a" * 96 + "4111111111111111"]
)
def test_errors_do_not_repeat_long_names(api, name):
    """A batch of 133 KB was answered with 131 MB."""
    rows = [{"description": "NETFLIX.COM"}, *[{"description": "A", "metadata": {name: 1}}] * 5]
    response = api.post("/v1/batches", {"transactions": rows}, format="json")
    assert response.status_code == 202
    assert len(response.json()["errors"]) == 5
    assert len(response.content) < 5_000
    assert "4111" not in response.text


def test_rows_times_webhooks_are_limited(api, client_1234, monkeypatch):
    monkeypatch.setattr(batches, "MAX_DELIVERIES", 5)
    WebhookFactory.create_batch(2, client=client_1234.client)
    WebhookFactory(client=client_1234.client, enabled=False, disabled_by="client")
    WebhookFactory(client=client_1234.client, events=["batch.*"])
    rows = [{"description": "A"}, {"description": "B"}]
    refused = post(api, rows, query="?deliver=each")
    assert refused.status_code == 413
    assert "to 4 webhooks a batch may have 1 rows now" in refused.json()["detail"]
    assert not Batch.objects.exists()
    assert not NormalizationRequest.objects.exists()
    assert post(api, rows[:1], query="?deliver=each").status_code == 202
    assert post(api, rows).status_code == 202


def test_rows_beside_what_is_held_already_are_limited(api, client_1234, monkeypatch):
    monkeypatch.setattr(batches, "MAX_DELIVERIES", 5)
    off = WebhookFactory(client=client_1234.client, enabled=False, disabled_by="client")
    WebhookFactory.create_batch(2, enabled=False, disabled_by="client")  # other clients'
    DeliveryFactory.create_batch(4, webhook=off, status="held", held_by="client")
    rows = [{"description": "A"}, {"description": "B"}]
    refused = post(api, rows, query="?deliver=each")
    assert refused.status_code == 413
    assert "may have 1 rows now, since 1 of them are disabled" in refused.json()["detail"]
    assert "4 of at most 5 messages are held" in refused.json()["detail"]
    assert not NormalizationRequest.objects.exists()
    assert post(api, rows).status_code == 202
    assert post(api, rows[:1], query="?deliver=each").status_code == 202
    off.enabled = True
    off.save()
    assert post(api, rows, query="?deliver=each").status_code == 202


def test_webhooks_that_are_created_after_a_batch_get_no_more_than_its_limit(
    api, client_1234, monkeypatch
):
    monkeypatch.setattr(batches, "MAX_DELIVERIES", 5)
    first = WebhookFactory(client=client_1234.client)
    batch = post(api, [{"description": "A"}, {"description": "B"}], query="?deliver=each").json()
    WebhookFactory.create_batch(3, client=client_1234.client, enabled=False, disabled_by="client")
    run_cluster()
    rows = Delivery.objects.filter(event__type="normalization.completed")
    assert rows.count() == 4
    assert rows.filter(webhook=first).count() == 2
    assert api.get(f"/v1/batches/{batch['id']}").json()["status"] == "completed"
    # A correction goes to all of them.
    requests = list(NormalizationRequest.objects.select_related("resolution"))
    completion._notify("normalization.updated", requests, timezone.now())
    assert Delivery.objects.filter(event__type="normalization.updated").count() == 2 * 4


def test_a_list_has_the_first_errors_of_each_batch(api):
    """A page of batches with all their errors would be tens of megabytes."""
    rows = [{"description": "SHOP"}, *({"amount": f"{number}x"} for number in range(20))]
    made = post(api, rows, NDJSON).json()
    none = post(api, rows[:1]).json()
    listed = api.get("/v1/batches").json()["data"]
    assert [batch["id"] for batch in listed] == [none["id"], made["id"]]
    assert listed[0]["errors"] == []
    assert listed[1]["errors"] == made["errors"][:10]
    assert api.get(f"/v1/batches/{made['id']}").json()["errors"] == made["errors"]
    assert len(made["errors"]) > 10
