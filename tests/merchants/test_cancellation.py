import contextlib
from unittest import mock

import pytest
from django.db import connection

from merchants import tasks
from merchants.models import Feedback, NormalizationRequest, Resolution, Waiter
from merchants.requests import admission, cancellation, submission, worker
from tests.api.problems import problem
from tests.merchants.cluster import run_cluster
from tests.merchants.row_counts import rows_read
from webhooks.models import Event

pytestmark = [pytest.mark.django_db, pytest.mark.storage, pytest.mark.usefixtures("first_word")]


@pytest.fixture
def path(api):
    return api.post("/v1/normalizations", {"description": "NETFLIX 1"}, format="json")["location"]


@pytest.mark.parametrize("admitted", [False, True])
def test_what_has_no_end_can_be_canceled_and_tells_nobody(api, path, admitted):
    if admitted:
        admission.admit_batch()
    response = api.post(f"{path}/cancel")
    assert response.status_code == 200
    assert response.json()["status"] == "canceled"
    assert response.json()["completed_at"]
    run_cluster()
    assert api.get(path).json() == response.json()
    assert not Event.objects.exists()


def test_what_has_its_end_is_409(api, path):
    run_cluster()
    problem(api.post(f"{path}/cancel"), 409)
    assert api.get(path).json()["status"] == "completed"


def test_canceling_twice_is_409(api, path):
    api.post(f"{path}/cancel")
    assert "canceled" in problem(api.post(f"{path}/cancel"), 409)["detail"]


def test_others_with_the_same_resolution_are_answered(api, path):
    other = api.post("/v1/normalizations", {"description": "NETFLIX 2"}, format="json")["location"]
    admission.admit_batch()
    api.post(f"{path}/cancel")
    run_cluster()
    assert api.get(other).json()["status"] == "completed"


def test_a_stranger_cannot_cancel_or_correct(stranger_api, path):
    problem(stranger_api.post(f"{path}/cancel"), 404)
    problem(stranger_api.post(f"{path}/feedback", {"merchant": "X"}, format="json"), 404)
    assert NormalizationRequest.objects.get().status == "queued"


def test_feedback_is_put_on_the_list(api, path):
    response = api.post(
        f"{path}/feedback", {"merchant": "Netflix", "comment": "Not this."}, format="json"
    )
    assert response.status_code == 201
    given = Feedback.objects.get()
    assert (given.merchant_name, given.comment, given.status) == ("Netflix", "Not this.", "open")
    assert response.json()["id"] == str(given.pk)
    assert response.json()["merchant"] == "Netflix"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/merchant"),
        ({"merchant": ""}, "/merchant"),
        ({"merchant": "x" * 201}, "/merchant"),
        ({"merchant": 7}, "/merchant"),
        ({"merchant": "X", "comment": "x" * 1001}, "/comment"),
        ({"merchant": "X", "comment": []}, "/comment"),
    ],
)
def test_wrong_feedback_is_named(api, path, body, pointer):
    problem(api.post(f"{path}/feedback", body, format="json"), 400, pointer)
    assert not Feedback.objects.exists()


def test_what_only_a_canceled_batch_waits_for_is_not_run(api, client_1234, stranger):
    rows = [{"description": f"SHOP{number} X"} for number in range(30)]
    batch_id = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
    submission.submit(client=stranger.client, fields={"description": "SHOP7 Y"})
    admission.admit_batch()
    answer = api.post(f"/v1/batches/{batch_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert answer.json()["counts"]["canceled"] == 30
    # What another client waits for stays.
    assert list(Resolution.objects.values_list("key", flat=True)) == ["shop7"]
    assert Waiter.objects.get().client == stranger.client
    assert api.post(f"/v1/batches/{batch_id}/cancel").status_code == 409
    assert stranger.api.post(f"/v1/batches/{batch_id}/cancel").status_code == 404


def test_a_cancel_reads_few_rows_where_statistics_are_older_than_the_batch(api):
    """Its rows were joined one by one, and everybody waited for minutes."""
    if connection.vendor == "sqlite":
        return  # keeps no count of what it reads
    rows = [{"description": f"OLD{number} X"} for number in range(300)]
    api.post("/v1/batches", {"transactions": rows}, format="json")
    run_cluster()
    rows = [{"description": f"NEW{number} X"} for number in range(400)]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        batch_id = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
        while admission.admit_batch():
            pass
        before = rows_read(cursor)
        assert api.post(f"/v1/batches/{batch_id}/cancel").json()["status"] == "canceled"
        # About 20 a row, more where dead rows lie among them; joined one by one, 400.
        assert rows_read(cursor) - before < 100 * len(rows)
    assert not Waiter.objects.exists()


def test_answered_rows_of_a_canceled_batch_stay(api):
    rows = [{"description": "ONE"}, {"description": "TWO"}]
    batch_id = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
    admission.admit_batch(limit=1)
    worker.resolve_due()
    body = api.post(f"/v1/batches/{batch_id}/cancel").json()
    assert (body["counts"]["completed"], body["counts"]["canceled"]) == (1, 1)
    assert body["status"] == "canceled"


def test_a_large_batch_is_canceled_by_the_cluster_and_a_repeat_does_nothing(api, monkeypatch):
    monkeypatch.setattr(cancellation, "CANCEL_BATCH", 3)
    rows = [{"description": f"SHOP{number} X"} for number in range(8)]
    batch_id = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
    for _ in range(3):
        answer = api.post(f"/v1/batches/{batch_id}/cancel")
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["counts"]["canceled"]) == ("processing", 3)
    assert cancellation.cancel_batches() == 5
    assert api.get(f"/v1/batches/{batch_id}").json()["status"] == "canceled"
    assert cancellation.cancel_batches() == 0


def test_a_batch_that_is_answered_in_spite_of_its_cancel_is_completed(api, monkeypatch):
    rows = [{"description": "ONE"}, {"description": "TWO"}]
    batch_id = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
    admission.admit_batch()
    with monkeypatch.context() as patch:
        # All rows are being answered at the moment of the cancel.
        patch.setattr(cancellation, "_cancel_some", lambda requests: 0)
        api.post(f"/v1/batches/{batch_id}/cancel")
        run_cluster()
    body = api.get(f"/v1/batches/{batch_id}").json()
    assert (body["status"], body["counts"]["completed"]) == ("completed", 2)


@pytest.mark.django_db(transaction=True)
def test_what_is_being_admitted_is_not_waited_for(api, client_1234):
    """Whoever cancels holds a web server's thread: no lock of others' may hold it, too."""
    if connection.vendor == "sqlite":
        return  # one transaction at a time: there is nothing to pass over
    rows = [{"description": "ONE"}, {"description": "TWO"}]
    batch_id = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
    first = NormalizationRequest.objects.get(row=1)
    with another_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "SELECT id FROM merchants_normalizationrequest WHERE id = %s FOR UPDATE", [first.pk]
        )
        answer = api.post(f"/v1/batches/{batch_id}/cancel").json()
        assert (answer["status"], answer["counts"]["canceled"]) == ("processing", 1)
        cursor.execute("COMMIT")
    assert cancellation.cancel_batches() == 1


@contextlib.contextmanager
def another_connection():
    made = connection.copy()
    made.connect()
    try:
        yield made
    finally:
        made.close()


def test_rows_of_a_batch_that_is_being_canceled_keep_no_others_waiting(api, monkeypatch):
    monkeypatch.setattr(cancellation, "CANCEL_BATCH", 3)
    rows = [{"description": f"WRONG{number}"} for number in range(8)]
    wrong = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
    api.post(f"/v1/batches/{wrong}/cancel")
    right = api.post("/v1/batches", {"transactions": [{"description": "RIGHT"}]}, format="json")
    assert admission.admit_batch() == 1
    worker.resolve_due()
    assert api.get(right["location"]).json()["status"] == "completed"
    assert cancellation.cancel_batches() == 5


def test_rows_of_a_batch_that_is_being_canceled_wake_no_admission(api, monkeypatch):
    """They would for as long as they are there: it would find nothing, and wake itself."""
    monkeypatch.setattr(cancellation, "CANCEL_BATCH", 3)
    rows = [{"description": f"WRONG{number}"} for number in range(8)]
    wrong = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
    api.post(f"/v1/batches/{wrong}/cancel")
    wakeup = mock.Mock()
    monkeypatch.setattr(admission, "ADMIT", wakeup)
    admission.sweep()
    wakeup.send.assert_not_called()
    assert NormalizationRequest.objects.queued().count() == 5
    api.post("/v1/normalizations", {"description": "RIGHT"}, format="json")
    wakeup.reset_mock()
    admission.sweep()
    wakeup.send.assert_called_once()


def test_who_waits_for_admission_does_not_wait_for_a_cancel(api, stranger_api, monkeypatch):
    monkeypatch.setattr(cancellation, "CANCEL_BATCH", 3)
    rows = [{"description": f"SHOP{number} X"} for number in range(8)]
    batch_id = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
    api.post(f"/v1/batches/{batch_id}/cancel")
    mine = stranger_api.post("/v1/normalizations", {"description": "SHOP"}, format="json").json()
    assert tasks.cancel_batches() == 5
    status = stranger_api.get(f"/v1/normalizations/{mine['request_id']}").json()["status"]
    assert status == "processing"  # admitted by the same worker


def test_a_worker_goes_on_with_cancels_for_a_while_only(api, monkeypatch):
    monkeypatch.setattr(cancellation, "CANCEL_BATCH", 3)
    for _ in range(3):
        rows = [{"description": f"SHOP{number} X"} for number in range(8)]
        batch_id = api.post("/v1/batches", {"transactions": rows}, format="json").json()["id"]
        api.post(f"/v1/batches/{batch_id}/cancel")
    monkeypatch.setattr(cancellation, "CANCEL_SLICE_SECONDS", -1)
    assert cancellation.cancel_batches() == 0
    monkeypatch.undo()
    assert cancellation.cancel_batches() == 15
