"""Test, check, recover, retry, and the lists of deliveries."""

import json
import uuid
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import DeliveryFactory, EventFactory, WebhookFactory
from webhooks.delivery import recovery
from webhooks.delivery.test_event import INLINE
from webhooks.models import Delivery, DeliveryAttempt, Recovery
from webhooks.receiver.application import Reply, always

pytestmark = pytest.mark.django_db


def problem(response, status, pointer=None):
    assert response.status_code == status, response.content
    assert response["content-type"] == "application/problem+json"
    body = json.loads(response.content)
    if pointer is not None:
        assert pointer in [error["pointer"] for error in body["errors"]], body
    return body


@pytest.fixture
def path(webhook):
    return f"/v1/webhooks/{webhook.pk}"


def test_a_test_answers_the_outcome_at_once(api, path, receiver):
    response = api.post(f"{path}/test")
    assert response.status_code == 200
    body = response.json()
    assert body["delivery"]["status"] == "succeeded"
    assert body["delivery"]["event"]["type"] == "webhook.test"
    attempt = body["attempt"]
    assert (attempt["ok"], attempt["status"], attempt["trigger"]) == (True, 200, "test")
    assert attempt["resolved_address"] == "127.0.0.1"
    assert receiver.messages[0].verified
    seen = api.get(f"/v1/deliveries/{body['delivery']['id']}").json()
    assert seen["attempts"] == [attempt]


def test_a_test_that_fails_answers_why(api, path, receiver):
    receiver.behaviour = always(Reply(status=500, body=b"boom"))
    body = api.post(f"{path}/test", {}, format="json").json()
    assert (body["delivery"]["status"], body["attempt"]["error"]) == ("failed", "http")
    assert body["attempt"]["response_head"] == "boom"


def test_a_check_answers_a_report(api, path, receiver):
    body = api.post(f"{path}/check").json()
    assert not body["ok"]  # this receiver answers 200 to everything
    assert [(check["name"], check["expected"], check["ok"]) for check in body["checks"]] == [
        ("good", "2xx", True),
        ("duplicate", "2xx", True),
        ("stale", "4xx", False),
        ("wrongly_signed", "4xx", False),
        ("doubly_signed", "2xx", True),
    ]
    assert all((check["detail"] is None) == check["ok"] for check in body["checks"])
    receiver.behaviour = lambda message: Reply(status=200 if message.verified else 400)
    assert api.post(f"{path}/check").json()["ok"]


@pytest.mark.parametrize("tail", ["test", "check"])
def test_a_body_that_asks_for_something_else_is_refused(api, path, receiver, tail):
    problem(api.post(f"{path}/{tail}", {"event": "batch.completed"}, format="json"), 400, "/event")
    assert not receiver.messages


@pytest.mark.parametrize("tail", ["test", "check"])
def test_one_at_a_time_for_each_client(api, path, stranger, webhook, receiver, tail):
    with INLINE.slot(webhook.client_id):
        response = api.post(f"{path}/{tail}")
        problem(response, 429)
        assert response["retry-after"] == "1"
        assert not receiver.messages
    assert api.post(f"{path}/{tail}").status_code == 200
    with INLINE.slot(stranger.client.pk):
        assert api.post(f"{path}/{tail}").status_code == 200


def test_never_more_than_so_many_in_a_process(api, path, receiver):
    with ExitStack() as others:
        for number in range(INLINE.limit):
            others.enter_context(INLINE.slot(-number))
        problem(api.post(f"{path}/test"), 503)


# Deliveries


@pytest.fixture
def mixed(deliver, webhook):
    """A delivery of each status, and one of another event type."""
    deliveries = {status: deliver(status=status) for status in Delivery.Status.values}
    event = EventFactory(client=webhook.client, type="batch.completed")
    deliveries["batch"] = DeliveryFactory(webhook=webhook, event=event)
    return deliveries


def ids(response):
    assert response.status_code == 200, response.content
    return [delivery["id"] for delivery in response.json()["data"]]


def test_deliveries_are_listed_newest_first(api, path, mixed):
    assert ids(api.get(f"{path}/deliveries")) == [
        str(delivery.pk) for delivery in reversed(mixed.values())
    ]


@pytest.mark.parametrize("status", Delivery.Status.values)
def test_deliveries_by_status(api, path, mixed, status):
    listed = ids(api.get(f"{path}/deliveries", {"status": status}))
    assert str(mixed[status].pk) in listed
    assert len(listed) == (2 if status == "pending" else 1)


def test_deliveries_by_event(api, path, mixed):
    batch = mixed["batch"]
    for event in ("batch.completed", "batch.*", str(batch.event_id)):
        assert ids(api.get(f"{path}/deliveries", {"event": event})) == [str(batch.pk)]
    assert len(ids(api.get(f"{path}/deliveries", {"event": "normalization.*"}))) == 6
    assert ids(api.get(f"{path}/deliveries", {"event": str(uuid.uuid4())})) == []


def test_deliveries_come_in_pages(api, path, mixed):
    listed, cursor = [], None
    while True:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        response = api.get(f"{path}/deliveries", query)
        listed += ids(response)
        cursor = response.json()["next_cursor"]
        if not cursor:
            break
    assert listed == [str(delivery.pk) for delivery in reversed(mixed.values())]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"status": "done"}, "status"),
        ({"status": ""}, "status"),
        ({"event": "nonsense"}, "event"),
        ({"event": "normalization."}, "event"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"state": "held"}, "state"),
    ],
)
def test_a_query_that_nobody_knows_is_refused(api, path, mixed, query, pointer):
    problem(api.get(f"{path}/deliveries", query), 400, pointer)


def test_a_delivery_shows_its_attempts(api, deliver, send, receiver):
    receiver.behaviour = always(Reply(status=503, body=b"later"))
    delivery = deliver()
    send()
    body = api.get(f"/v1/deliveries/{delivery.pk}").json()
    assert (body["status"], body["attempt_count"]) == ("pending", 1)
    assert body["next_trigger"] == "automatic"
    (attempt,) = body["attempts"]
    assert (attempt["number"], attempt["status"], attempt["error"]) == (1, 503, "http")
    assert attempt["response_head"] == "later"
    assert attempt["request_headers"]["webhook-signature"] == "***"
    assert "first_byte" in attempt["timings"]


def test_a_delivery_stays_on_record_when_its_webhook_is_deleted(api, deliver, webhook):
    delivery = deliver(status="succeeded")
    assert api.delete(f"/v1/webhooks/{webhook.pk}").status_code == 204
    body = api.get(f"/v1/deliveries/{delivery.pk}").json()
    assert (body["id"], body["status"]) == (str(delivery.pk), "succeeded")
    refused = api.post(f"/v1/deliveries/{delivery.pk}/retry")
    problem(refused, 409)
    assert "deleted" in refused.json()["detail"]


def test_a_delivery_shows_its_last_hundred_attempts(api, deliver):
    delivery = deliver(attempts=1000)
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(delivery=delivery, number=number, started_at=delivery.created_at)
        for number in range(1, 1001)
    )
    body = api.get(f"/v1/deliveries/{delivery.pk}").json()
    assert [attempt["number"] for attempt in body["attempts"]] == list(range(901, 1001))
    assert body["attempt_count"] == 1000


def test_of_long_attempts_no_more_are_shown_than_fit_into_a_response(api, webhook):
    delivery = DeliveryFactory(webhook=webhook, attempts=60)
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(
            delivery=delivery,
            number=number,
            trigger="manual",
            url=webhook.url,
            started_at=timezone.now(),
            response_head="\u2028" * 4_096,
        )
        for number in range(1, 61)
    )
    response = api.get(f"/v1/deliveries/{delivery.pk}")
    assert len(response.content) < 250_000
    numbers = [attempt["number"] for attempt in response.json()["attempts"]]
    assert numbers == list(range(numbers[0], 61))
    assert 5 < len(numbers) < 60


# Retrying


def test_retrying_answers_the_delivery_as_it_waits(api, deliver, send, receiver):
    delivery = deliver(status="failed", attempts=10, step=10, next_attempt_at=None)
    response = api.post(f"/v1/deliveries/{delivery.pk}/retry")
    assert response.status_code == 202
    assert (response.json()["status"], response.json()["next_trigger"]) == ("pending", "manual")
    send()
    body = api.get(f"/v1/deliveries/{delivery.pk}").json()
    assert (body["status"], body["attempts"][0]["trigger"]) == ("succeeded", "manual")
    assert body["next_attempt_at"] is None


def test_retrying_what_is_in_flight_is_a_conflict(api, deliver):
    delivery = deliver(status="delivering")
    problem(api.post(f"/v1/deliveries/{delivery.pk}/retry"), 409)


@pytest.mark.parametrize(("method", "tail"), [("get", ""), ("post", "/retry")])
def test_a_stranger_finds_no_delivery(stranger_api, deliver, method, tail):
    delivery = deliver(status="failed", next_attempt_at=None)
    problem(getattr(stranger_api, method)(f"/v1/deliveries/{delivery.pk}{tail}"), 404)
    delivery.refresh_from_db()
    assert delivery.status == "failed"


def test_the_list_of_one_webhook_has_nothing_of_another(api, path, deliver, client_1234):
    other = WebhookFactory(client=client_1234.client)
    deliver(other)
    assert ids(api.get(f"{path}/deliveries")) == []


# Recovering


@pytest.fixture
def failed(deliver):
    moment = timezone.now() - timedelta(hours=1)
    return deliver(status="failed", created_at=moment, attempts=10, step=10, next_attempt_at=None)


def since(hours=2):
    return (timezone.now() - timedelta(hours=hours)).isoformat()


def test_a_dry_run_only_counts(api, path, failed):
    response = api.post(f"{path}/recover", {"since": since(), "dry_run": True}, format="json")
    assert response.status_code == 200
    body = response.json()
    assert body["dry_run"]
    assert body["counts"] == {"total": 1, "failed": 1, "held": 0, "pending": 0}
    assert not Recovery.objects.exists()


def test_recovering_answers_a_job_that_can_be_watched(api, path, failed, send, receiver):
    response = api.post(f"{path}/recover", {"since": since()}, format="json")
    assert response.status_code == 202
    body = response.json()
    assert (body["status"], body["counts"]["total"], body["counts"]["queued"]) == ("running", 1, 0)
    assert response["location"] == f"/v1/recoveries/{body['id']}"
    recovery.advance_all()
    body = api.get(response["location"]).json()
    assert (body["status"], body["counts"]["queued"]) == ("running", 1)
    assert body["counts"]["pending"] == 1
    send()
    recovery.advance_all()
    body = api.get(response["location"]).json()
    assert (body["status"], body["counts"]["succeeded"]) == ("completed", 1)
    assert body["completed_at"]
    assert len(receiver.messages) == 1
    again = api.post(f"{path}/recover", {"since": since()}, format="json").json()
    assert again["counts"]["total"] == 0


def test_a_second_recovery_is_refused_until_the_first_is_done(api, path, failed, send):
    first = api.post(f"{path}/recover", {"since": since()}, format="json").json()["id"]
    for _ in range(3):
        refused = problem(api.post(f"{path}/recover", {"since": since()}, format="json"), 409)
        assert first in refused["detail"]
    assert Recovery.objects.count() == 1
    counted = {"since": since(), "dry_run": True}
    assert api.post(f"{path}/recover", counted, format="json").status_code == 200
    recovery.advance_all()
    send()
    recovery.advance_all()
    assert api.post(f"{path}/recover", {"since": since()}, format="json").status_code == 202


def test_the_recovery_of_a_deleted_webhook_can_be_seen(api, path, failed):
    job = api.post(f"{path}/recover", {"since": since()}, format="json")
    recovery.advance_all()
    assert api.delete(path).status_code == 204
    body = api.get(job["location"]).json()
    assert (body["status"], body["counts"]["canceled"]) == ("canceled", 1)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/since"),
        ({"since": None}, "/since"),
        ({"since": "yesterday"}, "/since"),
        ({"since": 5}, "/since"),
        ({"since": "2026-11-24"}, "/since"),
        ({"since": "2026-11-24T10:00:00"}, "/since"),
        ({"since": "2026-13-24T10:00:00Z"}, "/since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "/since"),
        ({"since": "2999-01-01T00:00:00Z"}, "/since"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "/until"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}, "/until"),
        ({"since": "2026-01-02T00:00:00Z", "dry_run": "yes"}, "/dry_run"),
        ({"since": "2026-01-02T00:00:00Z", "webhook": "x"}, "/webhook"),
    ],
)
def test_a_bad_window_is_refused(api, path, failed, body, pointer):
    problem(api.post(f"{path}/recover", body, format="json"), 400, pointer)
    assert not Recovery.objects.exists()


def test_a_stranger_finds_no_recovery(stranger_api, webhook):
    now = timezone.now()
    job = recovery.start(webhook=webhook, since=now - timedelta(hours=1), until=now)
    problem(stranger_api.get(f"/v1/recoveries/{job.pk}"), 404)
