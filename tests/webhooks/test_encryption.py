"""What is secret is encrypted at rest, and keys can be changed."""

import io
import logging
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse
from rest_framework.test import APIClient

from pave.clients import api_keys
from tests.factories import SECRET, ClientFactory
from webhooks.delivery import claims, endpoint_check, test_event
from webhooks.endpoints import services
from webhooks.fields import EncryptedTextField
from webhooks.models import DeliveryAttempt, SigningSecret, Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

HEADERS = {"Authorization": "Bearer t0ps3cret"}


@pytest.fixture
def webhook_and_secret(client_1234):
    return services.create(
        client=client_1234.client, url="https://client.example/hook", headers=HEADERS
    )


def stored():
    """Everything in the two tables, as it lies in the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM webhooks_signingsecret")
        rows = cursor.fetchall()
        cursor.execute("SELECT * FROM webhooks_webhook")
        return repr(rows + cursor.fetchall())


@pytest.fixture
def use_keys(settings):
    def use_keys(*keys):
        settings.FIELD_ENCRYPTION_KEYS = [key.decode() for key in keys]
        for model, name in ((SigningSecret, "secret"), (Webhook, "headers")):
            field = model._meta.get_field(name)
            for cached in ("keys", "f"):
                field.__dict__.pop(cached, None)

    yield use_keys
    settings.FIELD_ENCRYPTION_KEYS = []
    for model, name in ((SigningSecret, "secret"), (Webhook, "headers")):
        field = model._meta.get_field(name)
        for cached in ("keys", "f"):
            field.__dict__.pop(cached, None)


def test_secrets_and_headers_lie_encrypted_in_the_database(webhook_and_secret):
    _, secret = webhook_and_secret
    assert secret not in stored()
    assert secret.removeprefix("whsec_") not in stored()
    assert "t0ps3cret" not in stored()
    assert SigningSecret.objects.get().secret == secret
    assert Webhook.objects.get().headers == HEADERS


def test_the_first_key_encrypts_and_all_decrypt(use_keys, client_1234):
    old, new = Fernet.generate_key(), Fernet.generate_key()
    use_keys(old)
    _, first = services.create(client=client_1234.client, url="https://a.example/")
    use_keys(new, old)
    _, second = services.create(client=client_1234.client, url="https://b.example/")
    assert {row.secret for row in SigningSecret.objects.all()} == {first, second}
    use_keys(new)
    assert SigningSecret.objects.get(webhook__url="https://b.example/").secret == second
    assert SigningSecret.objects.get(webhook__url="https://a.example/").secret == ""


def test_after_rotate_encryption_the_old_key_can_be_dropped(use_keys, client_1234, capsys):
    old, new = Fernet.generate_key(), Fernet.generate_key()
    use_keys(old)
    _, secret = services.create(
        client=client_1234.client, url="https://a.example/", headers=HEADERS
    )
    use_keys(new, old)
    for _ in range(2):
        call_command("rotate_encryption")
    assert secret not in capsys.readouterr().out
    use_keys(new)
    assert SigningSecret.objects.get().secret == secret
    assert Webhook.objects.get().headers == HEADERS


@pytest.fixture
def unreadable(use_keys, webhook, client_1234):
    """A webhook of which a cluster has not got the key, beside one of another client's."""
    key = SigningSecret.objects.get(webhook=webhook)
    old, new = Fernet.generate_key(), Fernet.generate_key()
    use_keys(new, old)
    other = ClientFactory()
    broken, secret = services.create(client=other, url=webhook.url, headers=HEADERS)
    use_keys(old)
    SigningSecret.objects.filter(pk=key.pk).update(secret=SECRET)
    Webhook.objects.filter(pk=webhook.pk).update(headers={})
    yield SimpleNamespace(webhook=broken, secret=secret, client=other, old=old, new=new)
    claims._unreadable_until.clear()


def test_who_lacks_a_key_keeps_back_only_the_messages_that_need_it(
    unreadable, deliver, send, use_keys, receiver, caplog
):
    waiting = [deliver(unreadable.webhook) for _ in range(3)]
    sent = deliver()
    assert send() == 1
    sent.refresh_from_db()
    assert sent.status == "succeeded"
    assert caplog.messages.count("webhook.unreadable") == 1
    for one in waiting:
        one.refresh_from_db()
        assert (one.status, one.attempts) == ("pending", 0)
    use_keys(unreadable.new, unreadable.old)
    claims._unreadable_until.clear()
    assert send() == 3
    assert receiver.messages[-1].headers["authorization"] == HEADERS["Authorization"]


def test_a_test_of_it_fails_with_a_reason(unreadable):
    delivery = test_event.send_test(webhook=Webhook.objects.get(pk=unreadable.webhook.pk))
    assert delivery.status == "failed"
    assert DeliveryAttempt.objects.get(delivery=delivery).error == "interrupted"
    results = endpoint_check.check(webhook=Webhook.objects.get(pk=unreadable.webhook.pk))
    assert not any(result.passed for result in results)
    assert "NoSecret" in results[0].reason


def test_it_can_be_read_changed_given_a_new_secret_and_deleted(
    unreadable, use_keys, deliver, send, receiver
):
    key = api_keys.issue(client=unreadable.client)[1]
    api = APIClient(HTTP_AUTHORIZATION=f"Api-Key {key}")
    path = f"/v1/webhooks/{unreadable.webhook.pk}"
    assert api.get("/v1/webhooks").status_code == 200
    assert api.get(path).json()["headers"] == {}
    assert api.patch(path, {"description": "new"}, format="json").status_code == 200
    use_keys(unreadable.new, unreadable.old)
    assert Webhook.objects.get(pk=unreadable.webhook.pk).headers == HEADERS, "kept as they were"
    use_keys(unreadable.old)
    assert api.patch(path, {"headers": {"X-New": "1"}}, format="json").status_code == 200
    assert api.post(f"{path}/rotate-secret", {}, format="json").status_code == 200
    deliver(unreadable.webhook)
    assert send() == 1
    assert receiver.messages[-1].headers["x-new"] == "1"
    assert api.delete(path).status_code == 204


def test_rotate_encryption_says_what_it_could_not_read(unreadable, use_keys):
    with pytest.raises(CommandError, match="2 others"):
        call_command("rotate_encryption")
    webhook = Webhook.objects.get(pk=unreadable.webhook.pk)
    with transaction.atomic():
        services.rotate_secret(webhook=webhook)
        services.change(webhook=webhook, fields={"headers": {}})
        call_command("rotate_encryption")
        transaction.set_rollback(True)
    use_keys(unreadable.new, unreadable.old)
    assert SigningSecret.objects.get(webhook=unreadable.webhook).secret == unreadable.secret


def test_its_pages_open_and_its_client_can_be_erased(unreadable, admin_client):
    assert admin_client.get(reverse("admin:webhooks_webhook_changelist")).status_code == 200
    page = admin_client.get(reverse("admin:webhooks_webhook_change", args=[unreadable.webhook.pk]))
    assert page.text.count("cannot be decrypted") == 2
    call_command("erase_client", unreadable.client.client_id, "--yes", stdout=io.StringIO())
    assert not Webhook.objects.filter(pk=unreadable.webhook.pk).exists()


def test_two_encryptions_of_one_text_differ():
    field = EncryptedTextField()
    assert field.get_prep_value("a") != field.get_prep_value("a")


def test_no_secret_gets_into_log_or_answer(
    webhook_and_secret, send, deliver, api, caplog, webhook, receiver
):
    caplog.set_level(logging.DEBUG)
    created, secret = webhook_and_secret
    Webhook.objects.filter(pk=created.pk).update(url=receiver.url("/hook"))
    deliver(created)
    send()
    services.rotate_secret(webhook=created)
    body = api.get(f"/v1/webhooks/{created.pk}").content.decode()
    seen = caplog.text + body
    assert secret not in seen
    assert "t0ps3cret" not in seen
    assert '"Authorization":"***"' in body
