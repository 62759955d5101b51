"""Everything that staff do is on record, with what was before and after, and without a secret."""

import json
import logging
import re
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db.models import F
from django.test import Client as Browser
from django.urls import reverse
from django.utils.html import escape

from merchants.models import Merchant, NormalizationRequest
from merchants.requests import erasure
from pave.clients import api_keys
from pave.clients.models import ApiKey, Client
from pave.staff import logins
from pave.staff.models import AuditEntry
from tests.admin.fixtures import LogIn
from tests.factories import ApiKeyFactory
from webhooks.delivery import endpoint_check
from webhooks.endpoints import services
from webhooks.models import Delivery, SigningSecret, Webhook

KEY = re.compile(r'<code id="new-secret">([^<]+)</code>')


def _new_secret(response: object) -> str:
    [secret] = KEY.findall(response.content.decode())  # type: ignore[attr-defined]  # Django's test response
    return secret


def _everywhere() -> str:
    """Return all that is stored of what staff have done."""
    sessions = [session.get_decoded() for session in Session.objects.all()]
    entries = list(AuditEntry.objects.values())
    return json.dumps([sessions, entries], default=str)


def test_what_is_on_record_is_logged_without_texts(
    superuser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """A backup that is restored lacks it: an account that was closed since is open again."""
    fired = User.objects.create_user("fired", is_staff=True)
    with caplog.at_level(logging.INFO):
        superuser.post(
            reverse("admin:auth_user_change", args=[fired.pk]), {"username": "fired", "email": ""}
        )
    [line] = [vars(line) for line in caplog.records if line.message == "staff.did"]
    assert (line["object"], line["action"]) == (f"auth.user:{fired.pk}", "changed")
    assert line["changed"] == ["is_active", "is_staff"]


def test_a_change_of_the_own_password_is_on_record(superuser: Browser) -> None:
    me = User.objects.get(pk=superuser.session["_auth_user_id"])
    me.set_password("right-horse-battery")
    me.save()
    superuser.force_login(me, backend="django.contrib.auth.backends.ModelBackend")
    passwords = {"old_password": "wrong", "new_password1": "next-horse-battery"}
    url = reverse("admin:password_change")
    superuser.post(url, {**passwords, "new_password2": "next-horse-battery"})
    assert not AuditEntry.objects.exists()
    passwords["old_password"] = "right-horse-battery"
    superuser.post(url, {**passwords, "new_password2": "next-horse-battery"})
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_id) == ("changed the own password", str(me.pk))


def test_a_change_is_on_record_with_before_and_after(
    superuser: Browser, plain_webhook: Webhook
) -> None:
    url = reverse("admin:clients_client_change", args=[plain_webhook.client_id])
    superuser.post(url, {"name": "Southwind", "active": "on", "monthly_quota": "500", "share": "1"})
    entry = AuditEntry.objects.get()
    assert entry.username == superuser.user.username  # type: ignore[attr-defined]  # set by the fixture
    assert (entry.action, entry.model) == ("changed", "clients.client")
    assert entry.changes == {"name": ["Northwind", "Southwind"], "monthly_quota": ["", "500"]}
    page = superuser.get(url).content.decode()
    assert "Southwind" in page
    assert "<del>Northwind</del>" in page


def test_a_button_is_on_record_with_what_it_did(superuser: Browser, plain_webhook: Webhook) -> None:
    url = reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "disable"])
    superuser.post(url)
    entry = AuditEntry.objects.get()
    assert entry.action == "disable"
    assert entry.object_id == str(plain_webhook.pk)
    assert entry.changes["enabled"] == ["True", "False"]
    assert entry.changes["disabled_by"] == ["", "staff"]
    assert entry.detail == "Disabled; its deliveries are held."


def test_nothing_is_done_that_cannot_be_put_on_record(
    superuser: Browser, plain_webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pave.staff.audit.record", Mock(side_effect=RuntimeError))
    with pytest.raises(RuntimeError):
        superuser.post(reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "disable"]))
    plain_webhook.refresh_from_db()
    assert plain_webhook.enabled


def test_looking_and_asking_are_not_on_record(superuser: Browser, plain_webhook: Webhook) -> None:
    superuser.get(reverse("admin:webhooks_webhook_change", args=[plain_webhook.pk]))
    superuser.get(reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "disable"]))
    assert not AuditEntry.objects.exists()
    assert Webhook.objects.get().enabled


def test_who_opens_a_transaction_is_on_record_once_an_hour(
    log_in: LogIn, failed_delivery: Delivery
) -> None:
    event = failed_delivery.event
    request = NormalizationRequest.objects.get(pk=event.subject_id)
    opened = (request, event, failed_delivery)
    browsers = [log_in("viewer"), log_in("support")]
    for browser in browsers:
        for obj in (*opened, *opened):
            url = reverse(f"admin:{obj._meta.label_lower.replace('.', '_')}_change", args=[obj.pk])
            page = browser.get(url)
            assert not page.context["audit_entries"].exists()  # it shows what was changed
    entries = AuditEntry.objects.order_by("id")
    assert [(each.username, each.action, each.object_id) for each in entries] == [
        (browser.user.username, "opened", str(obj.pk))  # type: ignore[attr-defined]  # set by the fixture
        for browser in browsers
        for obj in opened
    ]
    assert request.description not in _everywhere()
    assert "opened" in browser.get(url.replace("change", "history")).content.decode()
    url = reverse("admin:merchants_normalizationrequest_do", args=[request.pk, "wrong"])
    for number, page in enumerate((url, url.replace("do/wrong", "history")), 1):
        entries.update(at=F("at") - timedelta(hours=1))
        assert request.description in browser.get(page).content.decode()
        assert AuditEntry.objects.count() == 6 + number


def test_an_action_of_a_list_asks_and_says_what_it_did(
    superuser: Browser, failed_delivery: Delivery
) -> None:
    url = reverse("admin:webhooks_webhook_changelist")
    data = {"action": "disable", "_selected_action": str(failed_delivery.webhook_id)}
    asked = superuser.post(url, data)
    assert "held, each for 30 days" in asked.content.decode()
    assert Webhook.objects.get().enabled
    done = superuser.post(url, data | {"confirmed": "yes"}, follow=True)
    assert "done for 1 of 1 selected" in done.content.decode()
    assert AuditEntry.objects.get().action == "disable"


def test_the_record_outlives_the_account(superuser: Browser, plain_webhook: Webhook) -> None:
    superuser.post(reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "disable"]))
    name = superuser.user.username  # type: ignore[attr-defined]  # set by the fixture
    superuser.user.delete()  # type: ignore[attr-defined]  # set by the fixture
    entry = AuditEntry.objects.get()
    assert (entry.user_id, entry.username) == (None, name)


def test_nobody_changes_the_record(superuser: Browser, plain_webhook: Webhook) -> None:
    superuser.post(reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "disable"]))
    entry = AuditEntry.objects.get()
    url = reverse("admin:staff_auditentry_change", args=[entry.pk])
    assert superuser.get(url).status_code == 200
    assert superuser.post(url, {"username": "somebody else"}).status_code == 403
    gone = reverse("admin:staff_auditentry_delete", args=[entry.pk])
    assert superuser.post(gone, {"post": "yes"}).status_code == 403


def test_a_new_key_is_shown_once_and_stored_nowhere(
    superuser: Browser, plain_webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = reverse("admin:clients_client_do", args=[plain_webhook.client_id, "make_key"])
    response = superuser.post(url, {"name": "production"})
    secret = _new_secret(response)
    assert api_keys.authenticate(secret) is not None
    assert "no-store" in response.headers["Cache-Control"]
    assert secret not in response.cookies.output()
    assert secret not in superuser.cookies.output()
    again = superuser.get(reverse("admin:clients_client_change", args=[plain_webhook.client_id]))
    assert secret not in again.content.decode()
    assert secret not in _everywhere()
    [key] = ApiKey.objects.all()
    logged = _logged(caplog)
    assert "make a key" in logged
    assert secret not in logged
    assert key.hashed_key not in logged + _everywhere()
    assert secret not in str(getattr(cache, "_cache", ""))
    assert AuditEntry.objects.get().detail == f"key {key.prefix}, shown once"


def _logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return the log with its fields, but for Django's own of statements."""
    records = [record for record in caplog.records if record.name != "django.db.backends"]
    return "\n".join(f"{record.getMessage()} {record.__dict__}" for record in records)


def test_keys_are_selected_without_their_hashes(
    superuser: Browser, plain_webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = [ApiKeyFactory(client=plain_webhook.client) for _ in range(3)]
    url = reverse("admin:clients_apikey_changelist")
    data = {"action": "revoke", "_selected_action": [key.prefix for key in keys[:2]]}
    pages = [superuser.get(url), superuser.post(url, data)]
    popups = [superuser.get(url, {"_popup": "1", "_to_field": name}) for name in ("id", "prefix")]
    for page in popups:
        html = page.content.decode()
        assert not any(key.hashed_key in html or escape(key.pk) in html for key in keys)
    for page in pages:
        html = page.content.decode()
        assert f'name="_selected_action" value="{keys[0].prefix}"' in html
        assert not any(key.hashed_key in html or escape(key.pk) in html for key in keys)
    superuser.post(url, data | {"confirmed": "yes"})
    assert [ApiKey.objects.get(pk=key.pk).revoked for key in keys] == [True, True, False]
    logged = _logged(caplog)
    assert keys[0].prefix in logged
    assert not any(key.hashed_key in logged for key in keys)


def test_rotating_a_key_ends_the_old_one(superuser: Browser, plain_webhook: Webhook) -> None:
    old, secret = api_keys.issue(client=plain_webhook.client)
    response = superuser.post(reverse("admin:clients_apikey_do", args=[old.prefix, "rotate"]))
    assert api_keys.authenticate(_new_secret(response)) is not None
    assert api_keys.authenticate(secret) is None
    entry = AuditEntry.objects.get()
    assert entry.object_id == old.prefix
    assert entry.changes["revoked"] == ["False", "True"]


def test_a_new_secret_is_shown_once_and_stored_nowhere(
    superuser: Browser, plain_webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "rotate_secret"])
    secret = _new_secret(superuser.post(url, {"overlap": "24"}))
    assert secret in {one.secret for one in SigningSecret.objects.all()}
    assert secret not in _everywhere()
    assert secret not in caplog.text
    page = superuser.get(reverse("admin:webhooks_webhook_change", args=[plain_webhook.pk]))
    assert secret not in page.content.decode()


def test_a_new_webhooks_secret_is_shown_on_the_page_after_the_form(
    superuser: Browser, plain_webhook: Webhook, loopback_allowed: None
) -> None:
    response = superuser.post(
        reverse("admin:webhooks_webhook_add"),
        {"client": plain_webhook.client_id, "url": "http://127.0.0.1:9/x", "max_in_flight": "4"},
    )
    secret = _new_secret(response)
    assert secret.startswith("whsec_")
    assert secret not in _everywhere()
    made = Webhook.objects.exclude(pk=plain_webhook.pk).get()
    assert made.secrets.get().secret == secret
    assert AuditEntry.objects.get().object_id == str(made.pk)


def test_headers_of_a_webhook_are_masked(superuser: Browser, plain_webhook: Webhook) -> None:
    Webhook.objects.filter(pk=plain_webhook.pk).update(headers={"x-token": "hush-hush"})
    page = superuser.get(reverse("admin:webhooks_webhook_change", args=[plain_webhook.pk]))
    assert "x-token: ***" in page.content.decode()
    assert "hush-hush" not in page.content.decode()
    superuser.post(reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "disable"]))
    assert "hush-hush" not in _everywhere()


def test_a_new_password_is_on_record_without_itself(superuser: Browser, log_in: LogIn) -> None:
    other = log_in("viewer").user  # type: ignore[attr-defined]  # set by the fixture
    url = reverse("admin:auth_user_password_change", args=[other.pk])
    password = "correct-horse-battery-9"
    superuser.post(url, {"password1": password, "password2": password, "usable_password": "true"})
    other.refresh_from_db()
    assert other.check_password(password)
    assert AuditEntry.objects.get().action == "set the password of"
    assert password not in _everywhere()
    assert other.password not in _everywhere()


def test_a_role_given_is_on_record(superuser: Browser, log_in: LogIn) -> None:
    other = log_in("").user  # type: ignore[attr-defined]  # set by the fixture
    group = Group.objects.get(name="support")
    superuser.post(
        reverse("admin:auth_user_change", args=[other.pk]),
        {"username": other.username, "is_active": "on", "is_staff": "on", "groups": [group.pk]},
    )
    assert AuditEntry.objects.get().changes == {"groups": ["", "support"]}


def test_an_alias_added_is_on_record(superuser: Browser, failed_delivery: Delivery) -> None:
    merchant = Merchant.objects.get(name="Netflix")
    superuser.post(
        reverse("admin:merchants_merchant_change", args=[merchant.pk]),
        {
            "opened_at": merchant.updated_at.isoformat(),
            "name": "Netflix", "active": "on", "mccs": "[]", "countries": "[]",
            "aliases-TOTAL_FORMS": "1", "aliases-INITIAL_FORMS": "0", "aliases-0-text": "NFLX",
            "aliases-0-merchant": str(merchant.pk),
        },
    )  # fmt: skip
    assert AuditEntry.objects.get().changes == {"alias added": ["", "NFLX"]}


def test_clients_are_not_deleted(superuser: Browser, plain_webhook: Webhook) -> None:
    url = reverse("admin:clients_client_delete", args=[plain_webhook.client_id])
    assert superuser.post(url, {"post": "yes"}).status_code == 403
    assert Client.objects.exists()


def test_what_others_change_meanwhile_is_not_staffs_doing(
    superuser: Browser, plain_webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate_secret = services.rotate_secret

    def moved_before(**kwargs: Any) -> str:
        Webhook.objects.update(url="https://client.example/moved", enabled=False)
        return rotate_secret(**kwargs)

    monkeypatch.setattr(services, "rotate_secret", moved_before)
    url = reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "rotate_secret"])
    superuser.post(url, {"overlap": "24"})
    entry = AuditEntry.objects.get()
    assert entry.action == "rotate the secret"
    assert set(entry.changes) == {"given: overlap"}


def test_of_a_client_that_is_erased_meanwhile_nothing_is_kept(
    superuser: Browser, plain_webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def erased_during(*, webhook: Webhook) -> list[Any]:
        list(erasure.erase(client=webhook.client))
        return []

    monkeypatch.setattr(endpoint_check, "check", erased_during)
    superuser.post(reverse("admin:webhooks_webhook_do", args=[plain_webhook.pk, "check_receiver"]))
    entry = AuditEntry.objects.get(action="check the receiver")
    assert (entry.object_name, entry.changes, entry.detail) == ("erased", {}, "")


def test_logins_are_on_record(db: None) -> None:
    User.objects.create_superuser("anna", password="right-horse-battery")
    browser = Browser(REMOTE_ADDR="192.0.2.7")
    for name, password in [
        ("anna ", "wrong"), ("anna", "wrong"), ("nobody", "wrong"), ("an\0na", "x"),
        ("anna", "right-horse-battery"), ("anna", "wrong"),
    ]:  # fmt: skip
        browser.post(reverse("admin:login"), {"username": name, "password": password})
    browser.post(reverse("admin:logout"))
    entries = AuditEntry.objects.order_by("pk").values_list("username", "action", "address")
    assert list(entries) == [
        ("anna", "was refused a login", "192.0.2.7"),
        ("anna", "logged in", "192.0.2.7"),
        ("anna", "logged out", "192.0.2.7"),
    ]


def test_refused_logins_on_record_are_few_also_without_redis_and_by_network(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_superuser("anna", password="right-horse-battery")
    monkeypatch.setattr(cache, "add", lambda *args, **kwargs: True)  # as while Redis is away
    for number in range(4):
        browser = Browser(REMOTE_ADDR=f"2001:db8::{number}")
        browser.post(reverse("admin:login"), {"username": "anna", "password": "wrong"})
    assert AuditEntry.objects.count() == 1


def test_refused_logins_are_on_record_by_address_up_to_a_number(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logins, "MAX_ON_RECORD", 3)
    User.objects.create_superuser("anna", password="right-horse-battery")

    def guess(*addresses: str) -> list[str]:
        for address in addresses:
            browser = Browser(REMOTE_ADDR=address)
            browser.post(reverse("admin:login"), {"username": "anna", "password": "wrong"})
        return list(AuditEntry.objects.order_by("pk").values_list("address", flat=True))

    first = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert guess(*first, *first, "192.0.2.4") == first
    details = AuditEntry.objects.order_by("pk").values_list("detail", flat=True)
    assert [bool(detail) for detail in details] == [False, False, True]
    AuditEntry.objects.update(at=F("at") - timedelta(minutes=15))
    assert guess("192.0.2.1", "192.0.2.4") == [*first, "192.0.2.1", "192.0.2.4"]


def test_who_guesses_anothers_password_has_not_logged_in(superuser: Browser) -> None:
    User.objects.create_superuser("anna", password="right-horse-battery")
    superuser.post(reverse("admin:login"), {"username": "anna", "password": "wrong"})
    entry = AuditEntry.objects.get()
    assert (entry.username, entry.action) == ("anna", "was refused a login")
