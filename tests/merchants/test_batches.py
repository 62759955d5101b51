import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from merchants.models import Batch, NormalizationRequest
from merchants.requests import admission, batches
from merchants.requests.batches import Row
from merchants.requests.resolutions import claims
from pave.clients.models import Client, MonthlyUse
from pave.clients.quotas import QuotaExceeded
from tests.api.problems import problem
from tests.factories import SigningSecretFactory, WebhookFactory
from tests.merchants.batching import CSV, JSON, MEDIA_TYPES, NDJSON, ROWS, post
from tests.merchants.cluster import run_cluster
from webhooks.models import Delivery, Event

pytestmark = [pytest.mark.django_db, pytest.mark.storage, pytest.mark.usefixtures("first_word")]


@pytest.fixture
def webhook(client_1234):
    webhook = WebhookFactory(client=client_1234.client, url="https://client.example/hook")
    SigningSecretFactory(webhook=webhook)
    return webhook


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


def test_a_quota_that_ends_with_the_month_meanwhile_says_when_to_try_again(
    api, client_1234, monkeypatch
):
    Client.objects.update(monthly_quota=1)
    good = batches._good
    with time_machine.travel(datetime(2026, 11, 30, 23, 59, tzinfo=UTC), tick=False) as clock:

        def over_midnight(*arguments):
            for row in good(*arguments):
                yield row
                clock.shift(timedelta(minutes=2))

        monkeypatch.setattr(batches, "_good", over_midnight)
        answer = post(api, ROWS)
    assert answer.status_code == 429
    assert answer["Retry-After"] == "1"
    assert answer["RateLimit"] == '"quota";r=1;t=1'


def test_batches_are_listed_newest_first(api, stranger_api):
    ids = [post(api, ROWS[:1]).json()["id"] for _ in range(3)]
    page = api.get("/v1/batches?limit=2").json()
    assert [batch["id"] for batch in page["data"]] == ids[:0:-1]
    rest = api.get(f"/v1/batches?limit=2&cursor={page['next_cursor']}").json()
    assert [batch["id"] for batch in rest["data"]] == ids[:1]
    assert stranger_api.get("/v1/batches").json()["data"] == []
