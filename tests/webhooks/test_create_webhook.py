"""POST /create_webhook: the seed's route."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from rest_framework.test import APIClient

from pave.clients.models import Client
from pave.staff.models import AuditEntry
from tests.admin.fixtures import MODEL_BACKEND
from webhooks.endpoints import enabling, services
from webhooks.models import SigningSecret, Webhook

pytestmark = pytest.mark.django_db

URL = "/create_webhook"
HOOK = "http://127.0.0.1:9000/hook"


@pytest.fixture(autouse=True)
def loopback(loopback_allowed):
    pass


@pytest.fixture
def admin(db):
    return get_user_model().objects.create_superuser("admin", password="admin")


@pytest.fixture
def staff_api(admin):
    api = APIClient()
    api.force_login(admin, backend=MODEL_BACKEND)
    return api


def problem(response, status, pointer=None):
    assert response.status_code == status, response.content
    assert response["content-type"] == "application/problem+json"
    body = json.loads(response.content)
    if pointer is not None:
        assert pointer in [error["pointer"] for error in body["errors"]], body


def post(api, **body):
    return api.post(URL, {"url": HOOK, "client_id": "1234", **body}, format="json")


def test_the_first_time_makes_a_webhook_and_shows_its_secret(api):
    response = post(api)
    assert response.status_code == 201
    webhook = Webhook.objects.get()
    assert response.json() == {
        "client_id": "1234",
        "url": HOOK,
        "webhook_id": str(webhook.pk),
        "secret": SigningSecret.objects.get().secret,
    }


def test_the_next_time_changes_its_url_and_shows_no_secret(api):
    created = post(api).json()
    response = post(api, url="http://127.0.0.1:9000/other")
    assert response.status_code == 200
    assert response.json() == {
        "client_id": "1234",
        "url": "http://127.0.0.1:9000/other",
        "webhook_id": created["webhook_id"],
    }
    assert Webhook.objects.get().url == "http://127.0.0.1:9000/other"


def test_the_body_need_not_name_the_client(api):
    assert api.post(URL, {"url": HOOK}, format="json").status_code == 201


def test_one_that_was_disabled_is_enabled(api, deliver, webhook):
    delivery = deliver()
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.GONE)
    assert post(api).status_code == 200
    webhook.refresh_from_db()
    delivery.refresh_from_db()
    assert webhook.enabled
    assert delivery.status == "pending"


def test_one_that_staff_disabled_stays_so(api, webhook):
    enabling.disable(webhook_id=webhook.pk, by=Webhook.DisabledBy.STAFF)
    assert post(api).status_code == 200
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.url) == (False, HOOK)


def test_another_clients_id_is_forbidden(api, stranger):
    problem(post(api, client_id="stranger"), 403)
    problem(post(api, client_id="unknown"), 403)
    problem(api.post(URL, {"url": HOOK}, format="json", HTTP_CLIENT_ID="stranger"), 403)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("client_id", ["stranger", "", 5, 1234.5, True, ["1234"], {"a": "1234"}])
@pytest.mark.parametrize("rest", [{}, {"url": None}, {"url": "nonsense"}, {"url": HOOK, "x": 1}])
def test_another_clients_id_is_forbidden_whatever_else_is_wrong(api, client_id, rest):
    problem(api.post(URL, {"client_id": client_id, **rest}, format="json"), 403)
    body = {"client_id": "1234", **rest}
    problem(api.post(URL, body, format="json", HTTP_CLIENT_ID="stranger"), 403)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("client_id", [None, 1234])
def test_ones_own_id_has_to_be_a_string(api, client_id):
    problem(post(api, client_id=client_id), 400, "/client_id")


def test_two_first_posts_at_once_make_one_webhook(transactional_db, client_1234):
    barrier = threading.Barrier(2, timeout=10)

    def first(_):
        try:
            barrier.wait()
            return post(client_1234.api)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            Webhook.objects.all().delete()
            answers = sorted(pool.map(first, range(2)), key=lambda answer: answer.status_code)
            assert [answer.status_code for answer in answers] == [200, 201]
            assert len({answer.json()["webhook_id"] for answer in answers}) == 1
            assert Webhook.objects.count() == 1


def test_staff_who_make_an_unknown_client_at_once_make_one(transactional_db, staff_api, admin):
    barrier = threading.Barrier(2, timeout=10)

    def make(_):
        api = APIClient()
        api.cookies = staff_api.cookies
        try:
            barrier.wait()
            return post(api, client_id="new-bank").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            Client.objects.all().delete()
            assert sorted(pool.map(make, range(2))) == [200, 201]


def test_without_a_login_it_is_refused(client_1234):
    problem(post(APIClient()), 401)
    problem(post(APIClient(HTTP_AUTHORIZATION="Api-Key nonsense.nonsense")), 401)


def test_staff_make_a_webhook_for_a_client(staff_api, client_1234):
    assert post(staff_api).status_code == 201
    assert Webhook.objects.get().client == client_1234.client


def test_staff_make_an_unknown_client(staff_api):
    response = post(staff_api, client_id="new-bank")
    assert response.status_code == 201
    assert Client.objects.get().client_id == "new-bank"
    assert Webhook.objects.get().client.client_id == "new-bank"


def test_what_staff_do_is_on_record(staff_api, admin):
    post(staff_api, client_id="new-bank", url="http://127.0.0.1:9000/first")
    post(staff_api, client_id="new-bank", url="http://127.0.0.1:9000/second")
    changed, created, client = AuditEntry.objects.order_by("-pk")
    assert changed.changes["url"] == [
        "http://127.0.0.1:9000/first",
        "http://127.0.0.1:9000/second",
    ]
    assert created.changes["url"] == ["", "http://127.0.0.1:9000/first"]
    assert (client.model, client.object_name) == ("clients.client", str(Client.objects.get()))
    webhook = Webhook.objects.get()
    for entry in (changed, created):
        assert (entry.username, entry.object_id) == (admin.get_username(), str(webhook.pk))


def test_the_record_has_what_was_before_when_others_changed_it_at_the_same_time(
    staff_api, monkeypatch
):
    post(staff_api, client_id="new-bank", url="http://127.0.0.1:9000/first")
    lock = services.lock

    def changed_before(client):
        Webhook.objects.update(url="http://127.0.0.1:9000/meanwhile")
        lock(client)

    monkeypatch.setattr(services, "lock", changed_before)
    post(staff_api, client_id="new-bank", url="http://127.0.0.1:9000/second")
    assert AuditEntry.objects.latest("pk").changes["url"] == [
        "http://127.0.0.1:9000/meanwhile",
        "http://127.0.0.1:9000/second",
    ]


def test_what_a_client_does_is_not_staffs(api, client_1234):
    post(api)
    [entry] = AuditEntry.objects.all()
    assert (entry.user, entry.username) == (None, "client 1234")


def test_a_password_is_not_taken_even_if_it_is_right(admin, client_1234):
    login = base64.b64encode(b"admin:admin").decode()
    response = post(APIClient(HTTP_AUTHORIZATION=f"Basic {login}"))
    problem(response, 401)
    assert response["www-authenticate"].startswith("Api-Key")
    assert not Webhook.objects.exists()


def test_a_session_needs_the_csrf_token(admin, client_1234):
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(admin, backend=MODEL_BACKEND)
    problem(post(api), 403)
    assert not Webhook.objects.exists()


def test_a_login_without_the_permission_is_forbidden(client_1234):
    bob = get_user_model().objects.create_user("bob", is_staff=True)
    api = APIClient()
    api.force_login(bob, backend=MODEL_BACKEND)
    problem(post(api), 403)


def test_a_login_that_is_not_staffs_any_more_is_forbidden(client_1234):
    carol = get_user_model().objects.create_superuser("carol")
    carol.is_staff = False
    carol.save()
    api = APIClient()
    api.force_login(carol, backend=MODEL_BACKEND)
    problem(post(api, client_id="1234"), 403)
    assert not Webhook.objects.exists()


def test_staff_must_say_whose_it_is(staff_api):
    problem(staff_api.post(URL, {"url": HOOK}, format="json"), 400, "/client_id")


@pytest.mark.parametrize("client_id", ["", " ", "a b", "-x", "é", "a" * 65, 5, None, ["1234"]])
def test_a_client_id_that_is_none_is_refused(staff_api, client_id):
    problem(post(staff_api, client_id=client_id), 400, "/client_id")
    assert not Client.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        5,
        ["http://127.0.0.1/"],
        "nonsense",
        "//127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://user:pw@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1/#a",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\x00",
        "http://127.0.0.1/\n",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://172.16.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://[fe80::1]/",
        "http://[::]/",
        "http://0.0.0.0/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://017700000001/",
        "http://127.1/",
        "http://no-such-host.invalid/",
        "http://127.0.0.1/" + "a" * 2048,
    ],
)
def test_a_bad_url_is_refused_and_nothing_is_written(api, url):
    problem(post(api, url=url), 400, "/url")
    assert not Webhook.objects.exists()


def test_loopback_is_refused_unless_it_is_allowed(api, settings):
    settings.PAVE_WEBHOOK_ALLOWED_NETWORKS = []
    for url in (HOOK, "http://localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/"):
        problem(post(api, url=url), 400, "/url")


def test_plain_http_can_be_forbidden(api, settings):
    settings.PAVE_WEBHOOK_ALLOW_HTTP = False
    problem(post(api), 400, "/url")
