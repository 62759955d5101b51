import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.models import Batch, NormalizationRequest
from merchants.requests import admission, batches, worker
from merchants.requests.batches import Row
from merchants.requests.resolutions import claims
from pave.clients.models import Client, MonthlyUse
from pave.clients.quotas import QuotaExceeded
from tests.api.problems import problem
from tests.factories import SigningSecretFactory, WebhookFactory
from tests.merchants.batching import CSV, JSON, MEDIA_TYPES, NDJSON, post
from webhooks.models import Delivery, Event

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

ROWS = [
    {"description": "NETFLIX.COM 1", "amount": "12.99", "currency": "USD", "reference": "a"},
    {"description": "SPOTIFY 2", "date": "2026-11-20", "mcc": "5815", "country": "SE"},
    {"description": "NETFLIX.COM 3", "city": "Oakland", "reference": "c"},
]


@pytest.fixture(autouse=True)
def heuristic(settings, monkeypatch):
    settings.PAVE_HEURISTIC = "tests.merchants.heuristics.FirstWord"


@pytest.fixture
def webhook(client_1234):
    webhook = WebhookFactory(client=client_1234.client, url="https://client.example/hook")
    SigningSecretFactory(webhook=webhook)
    return webhook


def run_cluster():
    while admission.admit_batch() or worker.resolve_due():
        pass


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_batch_is_taken_in_each_form(api, client_1234, media_type):
    response = post(api, ROWS, media_type)
    assert response.status_code == 202, response.content
    body = response.json()
    assert (body["status"], body["deliver"], body["errors"]) == ("processing", "batch", [])
    assert body["counts"] == {
        "accepted": 3,
        "rejected": 0,
        "pending": 3,
        "completed": 0,
        "failed": 0,
        "canceled": 0,
        "corrected": 0,
    }
    assert response["location"] == f"/v1/batches/{body['id']}"
    assert api.get(response["location"]).json() == body
    taken = NormalizationRequest.objects.order_by("row")
    assert [request.description for request in taken] == [row["description"] for row in ROWS]
    assert {request.client for request in taken} == {client_1234.client}
    assert [request.row for request in taken] == [1, 2, 3]
    assert (taken[0].amount, taken[1].mcc, taken[2].city) == ("12.99", "5815", "Oakland")


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


def test_a_batch_completes_with_one_webhook(api, webhook):
    batch_id = post(api, ROWS).json()["id"]
    run_cluster()
    body = api.get(f"/v1/batches/{batch_id}").json()
    assert (body["status"], body["counts"]["completed"], body["counts"]["pending"]) == (
        "completed",
        3,
        0,
    )
    event = Event.objects.get()
    message = json.loads(bytes(event.body))
    assert message["type"] == "batch.completed"
    assert message["data"] == {name: body[name] for name in body if name != "deliveries"}
    [delivery] = body["deliveries"]
    assert delivery["id"] == str(Delivery.objects.get().pk)


@pytest.mark.parametrize(
    ("media_type", "query", "body"),
    [
        (NDJSON, "?deliver=each", b'{"description":"A"}\n{"description":"B"}'),
        (CSV, "?deliver=each", b"description\nA\nB\n"),
        (JSON, "", b'{"deliver":"each","transactions":[{"description":"A"},{"description":"B"}]}'),
        (JSON, "", b'{"transactions":[{"description":"A"},{"description":"B"}],"deliver":"each"}'),
    ],
)
def test_rows_have_webhooks_of_their_own_where_the_batch_asks(
    api, webhook, media_type, query, body
):
    response = api.post(f"/v1/batches{query}", body, content_type=media_type)
    assert response.json()["deliver"] == "each"
    run_cluster()
    types = list(Event.objects.order_by("id").values_list("type", flat=True))
    assert types == ["normalization.completed", "normalization.completed", "batch.completed"]


def test_the_last_row_completes_the_batch_whatever_its_end_is(api, webhook, client_1234):
    rows = [{"description": "NETFLIX"}, {"description": "UNREADABLE"}, {"description": "SPOTIFY"}]
    batch_id = post(api, rows).json()["id"]
    last = NormalizationRequest.objects.get(row=3)
    assert api.post(f"/v1/normalizations/{last.pk}/cancel").status_code == 200
    run_cluster()
    admission.admit_suspects()
    body = api.get(f"/v1/batches/{batch_id}").json()
    assert (body["status"], body["counts"]) == (
        "completed",
        {
            "accepted": 3,
            "rejected": 0,
            "pending": 0,
            "completed": 1,
            "failed": 1,
            "canceled": 1,
            "corrected": 0,
        },
    )
    assert Event.objects.filter(type="batch.completed").count() == 1


def test_canceling_the_last_row_completes_the_batch(api, webhook):
    batch_id = post(api, ROWS[:1]).json()["id"]
    request = NormalizationRequest.objects.get()
    api.post(f"/v1/normalizations/{request.pk}/cancel")
    assert api.get(f"/v1/batches/{batch_id}").json()["status"] == "completed"
    assert Event.objects.get().type == "batch.completed"


def test_counting_twice_completes_once(api, webhook):
    post(api, ROWS)
    run_cluster()
    batch = Batch.objects.get()
    batches._complete_if_through(batch.pk, timezone.now())
    assert Event.objects.count() == 1


def test_the_sweep_completes_a_batch_whose_counts_are_wrong(api, webhook):
    batch_id = post(api, ROWS).json()["id"]
    NormalizationRequest.objects.filter(row=1).delete()
    NormalizationRequest.objects.update(status="failed")
    batches.sweep(now=timezone.now() + timedelta(minutes=1))
    body = api.get(f"/v1/batches/{batch_id}").json()
    assert (body["status"], body["counts"]["accepted"], body["counts"]["failed"]) == (
        "completed",
        2,
        2,
    )
    assert Event.objects.get().type == "batch.completed"


def test_the_sweep_goes_on_where_it_ended_with_many_batches(client_1234, monkeypatch):
    """Else very many open batches would keep it from all that it does for the others."""
    monkeypatch.setattr(batches, "_RECOUNT_SECONDS", 0)
    monkeypatch.setattr(batches, "_recounted_up_to", None)
    now = timezone.now()
    Batch.objects.bulk_create(
        Batch(client=client_1234.client, created_at=now, accepted=1) for _ in range(2)
    )
    for completed in (1, 2):
        cache.clear()
        batches.sweep(now=now + timedelta(minutes=1))
        assert Batch.objects.exclude(status="processing").count() == completed


def test_the_sweep_leaves_batches_under_way_alone(api, webhook):
    batch_id = post(api, ROWS).json()["id"]
    batches.sweep(now=timezone.now() + timedelta(minutes=1))
    assert api.get(f"/v1/batches/{batch_id}").json()["status"] == "processing"


def test_single_requests_are_admitted_before_batches(api):
    post(api, ROWS)
    alone = api.post("/v1/normalizations", {"description": "ALONE"}, format="json").json()
    admission.admit_batch(limit=1)
    assert NormalizationRequest.objects.get(status="processing").pk.hex == (
        alone["request_id"].replace("-", "")
    )


def test_resolutions_of_single_requests_are_worked_on_before_those_of_batches(api):
    post(api, [{"description": "FIRST 1"}, {"description": "SECOND 2"}, {"description": "THIRD"}])
    admission.admit_batch()
    for description in ("ALONE", "SECOND 9"):  # the second is one of the batch's resolutions
        api.post("/v1/normalizations", {"description": description}, format="json")
        admission.admit_batch()
    claimed = [claims.claim(worker="w")[0].resolution.key for _ in range(4)]
    assert set(claimed[:2]) == {"alone", "second"}
    assert set(claimed[2:]) == {"first", "third"}


def test_an_object_of_a_batch_names_it(api):
    batch_id = post(api, ROWS).json()["id"]
    listed = api.get(f"/v1/normalizations?batch={batch_id}").json()["data"]
    assert [one["transaction"]["description"] for one in listed] == [
        row["description"] for row in reversed(ROWS)
    ]
    assert {one["batch"] for one in listed} == {batch_id}


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


def test_csv_lines_are_counted_through_quoted_line_breaks(api):
    text = b'description,amount\r\n"A\nB",1\r\nC,1,2\r\nD,x\r\n'
    body = api.post("/v1/batches", text, content_type=CSV).json()
    assert body["counts"]["accepted"] == 1
    assert [(error["row"], error["line"]) for error in body["errors"]] == [(2, 4), (3, 5)]


def test_csv_may_have_a_byte_order_mark_other_columns_and_empty_cells(api):
    text = "\ufeffid, Description ,amount,note\n7,CAFÉ,,x\n".encode()
    body = api.post("/v1/batches", text, content_type="text/csv; charset=utf-8").json()
    assert body["counts"]["accepted"] == 1
    request = NormalizationRequest.objects.get()
    assert (request.description, request.amount) == ("CAFÉ", "")


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


def test_rows_are_written_in_few_statements(api):
    with CaptureQueriesContext(connection) as captured:
        post(api, [{"description": f"X {number}"} for number in range(500)])
    inserts = [one for one in captured if "merchants_normalizationrequest" in one["sql"]]
    assert len(inserts) <= (1 if connection.vendor == "postgresql" else 20)


@pytest.mark.parametrize(("quota", "used"), [(10, 3), (2, None)])
def test_a_quota_that_is_given_meanwhile_counts_the_rows_once(client_1234, quota, used):
    client = client_1234.client

    def rows():
        yield Row(0, None, {"description": "A"})
        Client.objects.filter(pk=client.pk).update(monthly_quota=quota)
        yield from (Row(number, None, {"description": "A"}) for number in (1, 2))

    if used is None:
        with pytest.raises(QuotaExceeded):
            batches.accept(client=client, rows=rows())
    else:
        batches.accept(client=client, rows=rows())
        assert MonthlyUse.objects.get().used == used


def test_the_quota_counts_rows_and_takes_all_or_none(api, client_1234):
    client_1234.client.monthly_quota = 4
    client_1234.client.save()
    assert post(api, ROWS).status_code == 202
    problem(post(api, ROWS), 429)
    assert NormalizationRequest.objects.count() == 3
    assert post(api, ROWS[:1]).status_code == 202


def test_batches_are_listed_newest_first(api, stranger_api):
    ids = [post(api, ROWS[:1]).json()["id"] for _ in range(3)]
    page = api.get("/v1/batches?limit=2").json()
    assert [batch["id"] for batch in page["data"]] == ids[:0:-1]
    rest = api.get(f"/v1/batches?limit=2&cursor={page['next_cursor']}").json()
    assert [batch["id"] for batch in rest["data"]] == ids[:1]
    assert stranger_api.get("/v1/batches").json()["data"] == []


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
    assert "to 4 webhooks a batch may have 1 rows" in refused.json()["detail"]
    assert not Batch.objects.exists()
    assert not NormalizationRequest.objects.exists()
    assert post(api, rows[:1], query="?deliver=each").status_code == 202
    assert post(api, rows).status_code == 202
