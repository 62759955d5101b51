"""Keys and secrets stand nowhere in the clear once they have been shown."""

import logging

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.cache import cache
from django.db import connection
from django.urls import reverse

from merchants.requests import admission, worker
from pave.clients import api_keys
from tests.merchants.heuristics import FirstWord
from webhooks.endpoints import services

pytestmark = pytest.mark.django_db

CARD_NUMBER = "5555555555554444"


def stored():
    """Return the bytes of every row of every table."""
    found = []
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')  # noqa: S608 - our tables
            for row in cursor.fetchall():
                found += [
                    bytes(one) if isinstance(one, memoryview) else str(one).encode() for one in row
                ]
    return b"\n".join(found)


def cached():
    """Return the bytes of everything in Redis, also of what is signed."""
    connection = cache.client.get_client()
    parts = []
    for key in connection.scan_iter("*"):
        if connection.type(key) == b"string":
            value = connection.get(key) or b""
            parts += [key, value]
            if value.count(b":") == 2:
                parts.append(signing.b64_decode(value.strip(b'"').split(b":")[0]))
    return b"\n".join(parts)


@pytest.fixture
def used(settings, client_1234, receiver, send, caplog):
    """Pave, after a client has done all there is to do, and what must be found nowhere."""
    settings.PAVE_HEURISTIC = f"{FirstWord.__module__}.FirstWord"
    caplog.set_level(logging.DEBUG)
    webhook, secret = services.create(
        client=client_1234.client,
        url=receiver.url("/hook"),
        headers={"x-token": "a-token-of-the-clients"},
    )
    rotated = services.rotate_secret(webhook=webhook)
    api = client_1234.api
    for body in ({"description": f"NETFLIX {CARD_NUMBER}"}, {"description": ""}, {"nonsense": 1}):
        api.post("/v1/normalizations", body, format="json")
    made = api.post("/v1/webhooks", {"url": receiver.url("/other")}, format="json")
    api.post(
        "/v1/webhooks",
        {"url": receiver.url("/third")},
        format="json",
        headers={"Idempotency-Key": "k-1"},
    )
    api.get("/v1/webhooks")
    for wrong in (client_1234.key[:-1], f"{client_1234.key}x"):
        api.get("/v1/usage", headers={"Authorization": f"Api-Key {wrong}"})
    admission.admit_batch()
    worker.resolve_due()
    send()
    assert receiver.messages
    secrets = [secret, rotated, made.json()["secret"]]
    return [
        client_1234.key,
        client_1234.key.partition(".")[2],
        *secrets,
        *[one.removeprefix("whsec_") for one in secrets],
        CARD_NUMBER,
    ]


def test_none_is_in_the_database(used):
    text = stored()
    assert b"NETFLIX 555555******4444" in text
    for secret in used:
        assert secret.encode() not in text


def test_none_is_in_the_cache_nor_where_messages_go(used, receiver):
    text = cached()
    assert b"/hook" not in text
    assert f":{receiver.port}".encode() not in text
    assert b'"client_id":"1234' in text
    for secret in used:
        assert secret.encode() not in text


def test_none_is_in_the_log(used, caplog):
    lines = [
        f"{record.getMessage()} {record.__dict__}"
        for record in caplog.get_records("setup")
        # What Django's test client itself says is no log of Pave's.
        if record.name != "django.db.backends"
    ]
    assert len(lines) > 3
    for secret in used:
        assert not [line for line in lines if secret in line]


def test_a_key_is_kept_as_a_hash_and_compared_in_constant_time(client_1234, monkeypatch):
    from rest_framework_api_key import crypto

    compared = []
    real = crypto.constant_time_compare
    monkeypatch.setattr(
        crypto, "constant_time_compare", lambda *pair: compared.append(pair) or real(*pair)
    )
    assert api_keys.authenticate(client_1234.key) is not None
    assert compared
    assert client_1234.key not in str(compared)


def test_no_session_of_staff_can_be_taken_from_the_database(superuser):
    cookie = superuser.cookies["sessionid"].value
    home = reverse("admin:index")
    assert superuser.get(home).status_code == 200
    assert cookie.encode() not in stored()
    stolen = Session.objects.get().pk
    assert stolen != cookie
    superuser.cookies["sessionid"] = stolen
    assert superuser.get(home).status_code == 302
    superuser.cookies["sessionid"] = cookie
    superuser.post(reverse("admin:logout"))
    assert not Session.objects.exists()
