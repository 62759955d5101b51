"""/v1/webhooks: making, seeing, changing, deleting."""

import json

import pytest
from django.utils import timezone

from webhooks.endpoints import enabling
from webhooks.models import Delivery, SigningSecret, Webhook

pytestmark = pytest.mark.django_db

URL = "/v1/webhooks"


@pytest.fixture(autouse=True)
def loopback(loopback_allowed):
    pass


def problem(response, status, pointer=None):
    assert response.status_code == status, response.content
    assert response["content-type"] == "application/problem+json"
    body = json.loads(response.content)
    assert body["status"] == status
    if pointer is not None:
        assert pointer in [error["pointer"] for error in body["errors"]], body
    return body


def create(api, **fields):
    return api.post(URL, {"url": "http://127.0.0.1:9000/hook", **fields}, format="json")


def test_creating_answers_the_webhook_with_its_secret_once(api, client_1234):
    response = create(
        api,
        description="orders",
        events=["normalization.*", "batch.completed"],
        max_in_flight=8,
        headers={"X-Team": "payments"},
    )
    assert response.status_code == 201
    body = response.json()
    secret = body.pop("secret")
    assert secret == SigningSecret.objects.get().secret
    assert response["location"] == f"{URL}/{body['id']}"
    assert api.get(response["location"]).json() == body
    assert body["url"] == "http://127.0.0.1:9000/hook"
    assert (body["description"], body["max_in_flight"]) == ("orders", 8)
    assert body["events"] == ["normalization.*", "batch.completed"]
    assert body["headers"] == {"X-Team": "***"}
    assert (body["enabled"], body["disabled_by"], body["failing_since"]) == (True, None, None)
    assert body["breaker"]["state"] == "closed"
    assert [secret["expires_at"] for secret in body["secrets"]] == [None]
    assert Webhook.objects.get().client == client_1234.client


def test_a_url_is_all_that_is_needed(api):
    body = create(api).json()
    assert (body["events"], body["headers"], body["max_in_flight"]) == ([], {}, 16)
    assert body["enabled"]


def test_one_can_be_made_disabled(api):
    body = create(api, enabled=False).json()
    assert (body["enabled"], body["disabled_by"]) == (False, "client")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": None}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": 5}, "/url"),
        ({"url": "ftp://client.example/"}, "/url"),
        ({"url": "http://user:pw@127.0.0.1/"}, "/url"),
        ({"url": "http://10.0.0.1/"}, "/url"),
        ({"url": "http://[fd00::1]/"}, "/url"),
        ({"url": "http://2130706433/"}, "/url"),
        ({"url": "http://127.1/"}, "/url"),
        ({"url": "http://no-such-host.invalid/"}, "/url"),
        ({"url": "http://127.0.0.1/#part"}, "/url"),
        ({"url": "http://127.0.0.1/" + "a" * 2048}, "/url"),
        ({"description": "a" * 501}, "/description"),
        ({"description": "a\0b"}, "/description"),
        ({"description": 5}, "/description"),
        ({"events": "normalization.completed"}, "/events"),
        ({"events": ["normalisation.completed"]}, "/events"),
        ({"events": [5]}, "/events"),
        ({"events": None}, "/events"),
        ({"enabled": "true"}, "/enabled"),
        ({"enabled": 1}, "/enabled"),
        ({"enabled": None}, "/enabled"),
        ({"max_in_flight": 0}, "/max_in_flight"),
        ({"max_in_flight": 65}, "/max_in_flight"),
        ({"max_in_flight": "4"}, "/max_in_flight"),
        ({"max_in_flight": 4.5}, "/max_in_flight"),
        ({"max_in_flight": True}, "/max_in_flight"),
        ({"max_in_flight": 10**400}, "/max_in_flight"),
        ({"headers": ["X-A"]}, "/headers"),
        ({"headers": {"webhook-id": "1"}}, "/headers/webhook-id"),
        ({"headers": {"X-A": "a\r\nb"}}, "/headers/X-A"),
        ({"headers": {"X-A": 5}}, "/headers/X-A"),
        ({"secret": "whsec_mine"}, "/secret"),
        ({"client": "stranger"}, "/client"),
        ({"disabled_by": "gone"}, "/disabled_by"),
    ],
)
def test_bad_fields_are_named_and_nothing_is_written(api, fields, pointer):
    problem(create(api, **fields), 400, pointer)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"{", b"", b"\xff", b"null"])
def test_a_body_that_is_no_object_is_refused(api, body):
    response = api.generic("POST", URL, body, content_type="application/json")
    problem(response, 400)


def test_the_body_must_be_json(api):
    problem(api.post(URL, "url=http://127.0.0.1/", content_type="text/plain"), 415)


def test_listing_gives_ones_own_newest_first(api, stranger_api):
    created = [create(api).json()["id"] for _ in range(3)]
    create(stranger_api)
    body = api.get(URL).json()
    assert [webhook["id"] for webhook in body["data"]] == created[::-1]
    assert "secret" not in body["data"][0]
    page = api.get(URL, {"limit": 2}).json()
    rest = api.get(URL, {"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [webhook["id"] for webhook in page["data"] + rest["data"]] == created[::-1]


def test_changing_changes_what_is_named(api, webhook):
    response = api.patch(
        f"{URL}/{webhook.pk}",
        {"url": "http://127.0.0.1:9/other", "events": ["batch.*"]},
        format="json",
    )
    assert response.status_code == 200
    body = response.json()
    assert (body["url"], body["events"]) == ("http://127.0.0.1:9/other", ["batch.*"])
    assert body["max_in_flight"] == 16
    assert body == api.get(f"{URL}/{webhook.pk}").json()


def test_a_masked_header_keeps_its_value(api, webhook):
    path = f"{URL}/{webhook.pk}"
    api.patch(path, {"headers": {"X-A": "one", "X-B": "two"}}, format="json")
    seen = api.get(path).json()["headers"]
    assert seen == {"X-A": "***", "X-B": "***"}
    api.patch(path, {"headers": {"x-a": "***", "X-C": "three"}}, format="json")
    webhook.refresh_from_db()
    assert webhook.headers == {"x-a": "one", "X-C": "three"}


def test_a_mask_that_stands_for_nothing_is_refused(api, webhook):
    headers = {"headers": {"X-New": "***"}}
    problem(api.patch(f"{URL}/{webhook.pk}", headers, format="json"), 400, "/headers/X-New")
    made = {"url": "http://127.0.0.1:9/", **headers}
    problem(api.post(URL, made, format="json"), 400, "/headers/X-New")
    webhook.refresh_from_db()
    assert webhook.headers == {}


def test_an_empty_change_changes_nothing(api, webhook):
    before = api.get(f"{URL}/{webhook.pk}").json()
    assert api.patch(f"{URL}/{webhook.pk}", {}, format="json").json() == before


@pytest.mark.parametrize("fields", [{"url": "http://10.0.0.1/"}, {"enable": False}, {"url": None}])
def test_a_bad_change_changes_nothing(api, webhook, fields):
    before = api.get(f"{URL}/{webhook.pk}").json()
    problem(api.patch(f"{URL}/{webhook.pk}", {"description": "x", **fields}, format="json"), 400)
    assert api.get(f"{URL}/{webhook.pk}").json() == before


def test_disabling_holds_and_enabling_releases(api, webhook, deliver):
    deliver()
    path = f"{URL}/{webhook.pk}"
    body = api.patch(path, {"enabled": False}, format="json").json()
    assert (body["enabled"], body["disabled_by"]) == (False, "client")
    assert body["disabled_at"]
    (held,) = api.get(f"{path}/deliveries", {"status": "held"}).json()["data"]
    assert held["held_by"] == "client"
    body = api.patch(path, {"enabled": True}, format="json").json()
    assert (body["enabled"], body["disabled_by"], body["disabled_at"]) == (True, None, None)
    assert Delivery.objects.get().status == "pending"


def test_what_staff_disabled_only_staff_enable(api, webhook):
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF)
    problem(api.patch(f"{URL}/{webhook.pk}", {"enabled": True}, format="json"), 409)
    webhook.refresh_from_db()
    assert not webhook.enabled


def test_the_breaker_is_seen(api, webhook):
    now = timezone.now()
    Webhook.objects.update(
        breaker_failures=4, breaker_opened_at=now, paused_until=now + timezone.timedelta(minutes=1)
    )
    breaker = api.get(f"{URL}/{webhook.pk}").json()["breaker"]
    assert (breaker["state"], breaker["failures"], breaker["window"]) == ("open", 4, 1)
    assert breaker["paused_until"] > breaker["opened_at"]


def test_deleting_takes_it_out_of_use(api, webhook, deliver):
    deliver()
    assert api.delete(f"{URL}/{webhook.pk}").status_code == 204
    problem(api.get(f"{URL}/{webhook.pk}"), 404)
    problem(api.delete(f"{URL}/{webhook.pk}"), 404)
    assert api.get(URL).json()["data"] == []
    assert Delivery.objects.get().status == "canceled"


ROUTES = [
    ("get", ""),
    ("patch", ""),
    ("delete", ""),
    ("post", "/rotate-secret"),
    ("post", "/test"),
    ("post", "/check"),
    ("post", "/recover"),
    ("get", "/deliveries"),
]


@pytest.mark.parametrize(("method", "tail"), ROUTES)
def test_a_stranger_finds_nothing_on_any_route(stranger_api, webhook, receiver, method, tail):
    body = {"since": "2026-01-01T00:00:00Z"} if tail == "/recover" else {}
    call = getattr(stranger_api, method)
    problem(call(f"{URL}/{webhook.pk}{tail}", body, format="json"), 404)
    assert not receiver.messages
    assert Webhook.objects.get().deleted_at is None
    assert SigningSecret.objects.count() == 1


@pytest.mark.parametrize(("method", "tail"), ROUTES)
def test_without_a_key_nothing_is_told(client, webhook, method, tail):
    problem(getattr(client, method)(f"{URL}/{webhook.pk}{tail}"), 401)


@pytest.mark.parametrize("tail", ["/nonsense", "/00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_is_not_found(api, tail):
    problem(api.get(URL + tail), 404)


@pytest.mark.parametrize("hours", [0, 1, 24, 168])
def test_rotating_answers_the_new_secret_once(api, webhook, hours):
    response = api.post(
        f"{URL}/{webhook.pk}/rotate-secret", {"overlap_hours": hours}, format="json"
    )
    assert response.status_code == 200
    body = response.json()
    assert body["secret"].startswith("whsec_")
    assert len(body["secrets"]) == (2 if hours else 1)
    assert "secret" not in api.get(f"{URL}/{webhook.pk}").json()


def test_rotating_without_a_body_overlaps_for_a_day(api, webhook):
    body = api.post(f"{URL}/{webhook.pk}/rotate-secret").json()
    old = next(secret for secret in body["secrets"] if secret["expires_at"])
    ends = timezone.datetime.fromisoformat(old["expires_at"])
    assert 23.9 < (ends - timezone.now()).total_seconds() / 3600 <= 24


@pytest.mark.parametrize("hours", [-1, 169, "24", 1.5, None, True])
def test_a_bad_overlap_is_refused(api, webhook, hours):
    path = f"{URL}/{webhook.pk}/rotate-secret"
    problem(api.post(path, {"overlap_hours": hours}, format="json"), 400, "/overlap_hours")
    assert SigningSecret.objects.count() == 1


def test_too_many_live_secrets_are_a_conflict(api, webhook):
    path = f"{URL}/{webhook.pk}/rotate-secret"
    for _ in range(4):
        assert api.post(path).status_code == 200
    problem(api.post(path), 409)
