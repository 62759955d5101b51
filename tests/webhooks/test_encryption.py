"""What is secret is encrypted at rest, and keys can be changed."""

import logging

import pytest
from cryptography.fernet import Fernet
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection

from webhooks.endpoints import services
from webhooks.fields import EncryptedTextField
from webhooks.models import SigningSecret, Webhook

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
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        SigningSecret.objects.get(webhook__url="https://a.example/")


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


def test_no_key_fits_says_so_without_showing_anything(use_keys, webhook_and_secret):
    use_keys(Fernet.generate_key())
    with pytest.raises(ImproperlyConfigured) as caught:
        SigningSecret.objects.get()
    assert "gAAAA" not in str(caught.value)


def test_two_encryptions_of_one_text_differ():
    field = EncryptedTextField()
    assert field.get_prep_value("a") != field.get_prep_value("a")


def test_no_secret_gets_into_log_cache_or_answer(
    webhook_and_secret, send, deliver, api, caplog, webhook, receiver
):
    caplog.set_level(logging.DEBUG)
    created, secret = webhook_and_secret
    Webhook.objects.filter(pk=created.pk).update(url=receiver.url("/hook"))
    deliver(created)
    send()
    services.rotate_secret(webhook=created)
    body = api.get(f"/v1/webhooks/{created.pk}").content.decode()
    seen = caplog.text + body + repr(cache.get(f"subscribers:{created.client_id}"))
    assert secret not in seen
    assert "t0ps3cret" not in seen
    assert '"Authorization":"***"' in body
