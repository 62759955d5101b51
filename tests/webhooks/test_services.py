"""Making, changing and deleting webhooks; rotating their secrets."""

from datetime import timedelta

import pytest
import standardwebhooks
import svix.webhooks
import time_machine
from django.urls import reverse
from django.utils import timezone

from tests.factories import SECRET
from webhooks.api.views import webhook_actions, webhooks
from webhooks.api.views.webhooks import own_webhook
from webhooks.endpoints import enabling, services
from webhooks.models import Delivery, SigningSecret, Webhook

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

LIBRARIES = {
    "standardwebhooks": (standardwebhooks.Webhook, standardwebhooks.WebhookVerificationError),
    "svix": (svix.webhooks.Webhook, svix.webhooks.WebhookVerificationError),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_while_a_secret_is_rotated_old_and_new_verify(send, deliver, webhook, receiver, library):
    verifier, error = LIBRARIES[library]
    new = services.rotate_secret(webhook=webhook)
    deliver()
    send()
    (message,) = receiver.messages
    for secret in (SECRET, new):
        verifier(secret).verify(message.body, message.headers)
    with pytest.raises(error):
        verifier(SECRET[:-8] + "AAAAAAA=").verify(message.body, message.headers)


@pytest.mark.parametrize("library", LIBRARIES)
def test_with_no_overlap_the_old_one_ends_at_once(send, deliver, webhook, receiver, library):
    verifier, error = LIBRARIES[library]
    new = services.rotate_secret(webhook=webhook, overlap=timedelta(0))
    deliver()
    send()
    (message,) = receiver.messages
    verifier(new).verify(message.body, message.headers)
    with pytest.raises(error):
        verifier(SECRET).verify(message.body, message.headers)


def test_the_newest_secret_signs_first(send, deliver, webhook, receiver):
    new = services.rotate_secret(webhook=webhook)
    deliver()
    send()
    (message,) = receiver.messages
    first, _ = message.headers["webhook-signature"].split()
    standardwebhooks.Webhook(new).verify(
        message.body, {**message.headers, "webhook-signature": first}
    )


def test_a_shorter_overlap_shortens_that_of_older_secrets_and_a_longer_one_does_not(webhook):
    now = timezone.now()
    services.rotate_secret(webhook=webhook, overlap=timedelta(hours=24))
    services.rotate_secret(webhook=webhook, overlap=timedelta(hours=168))
    newest, second, first = webhook.secrets.order_by("-pk")
    assert newest.expires_at is None
    assert second.expires_at > now + timedelta(hours=167)
    assert first.expires_at < now + timedelta(hours=25)
    services.rotate_secret(webhook=webhook, overlap=timedelta(hours=1))
    assert all(
        secret.expires_at < now + timedelta(hours=2)
        for secret in webhook.secrets.exclude(expires_at=None)
    )


def test_expired_secrets_are_deleted_by_the_next_rotation(webhook):
    services.rotate_secret(webhook=webhook, overlap=timedelta(0))
    services.rotate_secret(webhook=webhook)
    assert SigningSecret.objects.count() == 2


def test_so_many_live_secrets_and_no_more(webhook):
    for _ in range(services.MAX_LIVE_SECRETS - 1):
        services.rotate_secret(webhook=webhook)
    with pytest.raises(services.LimitReached):
        services.rotate_secret(webhook=webhook)
    services.rotate_secret(webhook=webhook, overlap=timedelta(0))


def test_a_client_may_have_so_many_webhooks_and_no_more(client_1234, monkeypatch):
    monkeypatch.setattr(services, "MAX_WEBHOOKS", 2)
    for _ in range(2):
        webhook, _ = services.create(client=client_1234.client, url="https://client.example/")
    with pytest.raises(services.LimitReached):
        services.create(client=client_1234.client, url="https://client.example/")
    services.delete(webhook=webhook)
    services.create(client=client_1234.client, url="https://client.example/")


def test_another_url_begins_with_a_clean_slate(webhook):
    now = timezone.now()
    Webhook.objects.update(
        failing_since=now,
        window=1,
        breaker_failures=9,
        breaker_opened_at=now,
        paused_until=now + timedelta(minutes=9),
    )
    webhook.refresh_from_db()
    services.change(webhook=webhook, fields={"url": webhook.url})
    webhook.refresh_from_db()
    assert webhook.breaker == "open"
    services.change(webhook=webhook, fields={"url": "https://other.example/"})
    webhook.refresh_from_db()
    assert (webhook.breaker, webhook.failing_since) == ("closed", None)


def test_secrets_are_32_random_bytes_and_differ(client_1234):
    import base64

    secrets = [
        services.create(client=client_1234.client, url="https://client.example/")[1]
        for _ in range(3)
    ]
    assert len(set(secrets)) == 3
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_a_change_can_be_repeated_from_the_log_after_a_restore(webhook, caplog):
    with caplog.at_level("INFO"):
        services.change(
            webhook=webhook, fields={"url": "https://example.com/b", "max_in_flight": 3}
        )
    [line] = [record for record in caplog.records if record.message == "webhook.changed"]
    assert (line.webhook, line.changed) == (webhook.pk, ["max_in_flight", "url"])


def test_a_masked_header_keeps_what_is_stored_when_it_is_changed(webhook):
    services.change(webhook=webhook, fields={"headers": {"X-A": "one", "X-B": "two"}})
    as_read_before = Webhook.objects.get()
    services.change(webhook=webhook, fields={"headers": {"X-A": "new"}})
    services.change(webhook=as_read_before, fields={"headers": {"x-a": "***", "X-B": "***"}})
    webhook.refresh_from_db()
    assert webhook.headers == {"x-a": "new"}


def test_secrets_that_have_ended_since_the_webhook_was_read_do_not_count(webhook):
    for _ in range(services.MAX_LIVE_SECRETS - 1):
        services.rotate_secret(webhook=webhook, overlap=timedelta(hours=1))
    read = Webhook.objects.prefetch_related("secrets").get()
    assert len(read.secrets.all()) == services.MAX_LIVE_SECRETS
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        services.rotate_secret(webhook=read)
    assert webhook.secrets.count() == 2


def test_secrets_that_were_made_since_the_webhook_was_read_count(webhook):
    read = Webhook.objects.prefetch_related("secrets").get()
    for _ in range(services.MAX_LIVE_SECRETS - 1):
        services.rotate_secret(webhook=webhook)
    with pytest.raises(services.LimitReached):
        services.rotate_secret(webhook=read)


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [("post", "/rotate-secret", {}), ("patch", "", {"events": []}), ("post", "/test", {})],
)
def test_what_comes_with_the_deletion_of_a_webhook_is_404_and_changes_nothing(
    api, webhook, monkeypatch, method, tail, body
):
    def read_and_deleted(request, webhook_id):
        read = own_webhook(request, webhook_id)
        services.delete(webhook=webhook)
        return read

    for module in (webhooks, webhook_actions):
        monkeypatch.setattr(module, "own_webhook", read_and_deleted)
    answer = getattr(api, method)(f"/v1/webhooks/{webhook.pk}{tail}", body, format="json")
    assert answer.status_code == 404
    assert not webhook.secrets.exists()
    assert not Delivery.objects.exists()


def test_the_original_route_makes_a_webhook_if_the_one_to_change_is_just_deleted(
    client_1234, webhook, monkeypatch
):
    lock_existing = services.lock_existing

    def deleted_before(stored):
        monkeypatch.setattr(services, "lock_existing", lock_existing)
        services.delete(webhook=stored)
        return lock_existing(stored)

    monkeypatch.setattr(services, "lock_existing", deleted_before)
    made, secret = services.create_or_change(client=client_1234.client, url="https://new.example/")
    assert made != webhook
    assert secret
    webhook.refresh_from_db()
    assert webhook.url != "https://new.example/"


def test_a_url_that_has_been_changed_since_it_was_read_is_another(webhook):
    as_read_before = Webhook.objects.get()
    services.change(webhook=webhook, fields={"url": "https://other.example/"})
    Webhook.objects.update(
        failing_since=timezone.now(), failing_days=3, breaker_opened_at=timezone.now()
    )
    services.change(webhook=as_read_before, fields={"url": as_read_before.url})
    webhook.refresh_from_db()
    assert (webhook.breaker, webhook.failing_since, webhook.failing_days) == ("closed", None, 0)


@pytest.fixture
def deleted_meanwhile(monkeypatch):
    lock_existing = services.lock_existing

    def deleted_before(stored):
        Webhook.objects.filter(pk=stored.pk).update(deleted_at=timezone.now(), enabled=False)
        return lock_existing(stored)

    monkeypatch.setattr(services, "lock_existing", deleted_before)


@pytest.mark.parametrize("action", ["send_test", "rotate_secret"])
def test_staff_are_told_that_a_webhook_has_just_been_deleted(
    admin_client, webhook, deleted_meanwhile, action
):
    url = reverse("admin:webhooks_webhook_do", args=[webhook.pk, action])
    answer = admin_client.post(url, {"overlap": "24"}, follow=True)
    assert answer.status_code == 200
    assert "has been deleted" in answer.content.decode()


def test_what_staff_save_of_a_webhook_that_has_just_been_deleted_is_404(
    admin_client, webhook, deleted_meanwhile
):
    url = reverse("admin:webhooks_webhook_change", args=[webhook.pk])
    form = admin_client.get(url).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in shown.items() if value not in (None, False)}
    answer = admin_client.post(url, {**data, "description": "Changed"})
    assert answer.status_code == 404
    webhook.refresh_from_db()
    assert webhook.description == ""


def test_staff_can_do_nothing_with_a_deleted_webhook(admin_client, webhook):
    services.delete(webhook=webhook)
    answer = admin_client.get(reverse("admin:webhooks_webhook_change", args=[webhook.pk]))
    assert answer.context["buttons"] == []


def test_staff_are_told_that_a_webhook_was_disabled_already(admin_client, webhook):
    services.change(webhook=webhook, fields={"enabled": False})
    url = reverse("admin:webhooks_webhook_do", args=[webhook.pk, "disable"])
    answer = admin_client.post(url, follow=True)
    assert "disabled already" in answer.content.decode()
    webhook.refresh_from_db()
    assert webhook.disabled_by == "staff"


def test_a_webhook_that_was_deleted_meanwhile_is_not_said_to_be_disabled(
    admin_client, webhook, monkeypatch
):
    disable = enabling.disable

    def deleted_before(**kwargs):
        services.delete(webhook=webhook)
        return disable(**kwargs)

    monkeypatch.setattr(enabling, "disable", deleted_before)
    url = reverse("admin:webhooks_webhook_do", args=[webhook.pk, "disable"])
    assert "has been deleted" in admin_client.post(url, follow=True).content.decode()
