"""Each role may do what it is for, and is refused everything else."""

import shlex

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django.urls import reverse

from pave.staff.buttons import buttons_of
from pave.staff.roles import ADMIN, MATCHER, ROLES, SUPPORT, VIEWER
from tests.admin.fixtures import LogIn
from webhooks.admin.deliveries import curl
from webhooks.models import Delivery, Webhook

STAFF = ["", *ROLES]
# Which roles may press which button.
BUTTONS = {
    ("webhooks.webhook", "send_test"): {"support", "admin"},
    ("webhooks.webhook", "check_receiver"): {"support", "admin"},
    ("webhooks.webhook", "recover"): {"support", "admin"},
    ("webhooks.webhook", "enable"): {"support", "admin"},
    ("webhooks.webhook", "disable"): {"support", "admin"},
    ("webhooks.webhook", "rotate_secret"): {"admin"},
    ("webhooks.delivery", "retry"): {"support", "admin"},
    ("webhooks.delivery", "cancel"): {"support", "admin"},
    ("clients.client", "make_key"): {"admin"},
    ("clients.client", "deactivate"): {"admin"},
    ("clients.client", "activate"): {"admin"},
    ("clients.apikey", "rotate"): {"admin"},
    ("clients.apikey", "revoke"): {"admin"},
    ("merchants.normalizationrequest", "wrong"): {"support", "matcher", "admin"},
    ("merchants.feedback", "accept"): {"matcher", "admin"},
    ("merchants.feedback", "reject"): {"matcher", "admin"},
    ("merchants.batch", "cancel"): {"support", "admin"},
    ("merchants.merchant", "merge"): {"matcher", "admin"},
    ("merchants.ruleset", "roll_back"): {"matcher", "admin"},
}
FORMS = {
    "clients_client_add": {"admin"},
    "webhooks_webhook_add": {"admin"},
    "merchants_merchant_add": {"matcher", "admin"},
    "merchants_rule_add": {"matcher", "admin"},
    "auth_user_add": {"admin"},
}


def test_the_migration_makes_the_four_roles(db: None, log_in: LogIn) -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {
        "viewer", "support", "matcher", "admin",
    }  # fmt: skip
    for name, wanted in ROLES.items():
        permissions = Group.objects.get(name=name).permissions.select_related("content_type")
        assert {f"{one.content_type.app_label}.{one.codename}" for one in permissions} == wanted


def test_roles_build_on_each_other() -> None:
    assert VIEWER < SUPPORT < ADMIN
    assert VIEWER < MATCHER < ADMIN
    assert all(".view_" in name for name in VIEWER)


def test_every_button_is_in_the_table_above() -> None:
    known = {
        (model._meta.label_lower, name)
        for model, model_admin in admin.site._registry.items()
        for name in buttons_of(type(model_admin))
    }
    assert known == set(BUTTONS)


@pytest.mark.parametrize("role", STAFF)
@pytest.mark.parametrize(("model", "name"), BUTTONS)
def test_a_button_is_refused_to_other_roles(
    log_in: LogIn, objects: dict[str, str], role: str, model: str, name: str
) -> None:
    url = reverse(f"admin:{model.replace('.', '_')}_do", args=[objects[model], name])
    before = list(Delivery.objects.values()), list(Webhook.objects.values())
    browser = log_in(role)
    if role in BUTTONS[model, name]:
        assert browser.get(url).status_code in (200, 302)
        return
    assert browser.get(url).status_code == 403
    assert browser.post(url, {"since": "2026-01-01T00:00"}).status_code == 403
    assert (list(Delivery.objects.values()), list(Webhook.objects.values())) == before


@pytest.mark.parametrize("role", STAFF)
@pytest.mark.parametrize(("model", "name"), BUTTONS)
def test_a_button_is_shown_only_to_those_who_may_press_it(
    log_in: LogIn, objects: dict[str, str], role: str, model: str, name: str
) -> None:
    page = reverse(f"admin:{model.replace('.', '_')}_change", args=[objects[model]])
    url = reverse(f"admin:{model.replace('.', '_')}_do", args=[objects[model], name])
    response = log_in(role).get(page)
    if not role:
        assert response.status_code == 403
    elif role not in BUTTONS[model, name]:
        assert url not in response.content.decode()
    elif name not in ("enable", "cancel", "activate"):  # not possible in the state that they are in
        assert url in response.content.decode()


@pytest.mark.parametrize("role", STAFF)
def test_actions_of_lists_are_refused_to_other_roles(
    log_in: LogIn, objects: dict[str, str], role: str
) -> None:
    response = log_in(role).post(
        reverse("admin:webhooks_webhook_changelist"),
        {
            "action": "disable",
            "_selected_action": objects["webhooks.webhook"],
            "confirmed": "yes",
        },
    )
    assert Webhook.objects.get().enabled == (role not in ("support", "admin"))
    assert response.status_code in (200, 302, 403)


@pytest.mark.parametrize("role", STAFF)
@pytest.mark.parametrize("name", FORMS)
def test_forms_are_refused_to_other_roles(log_in: LogIn, role: str, name: str) -> None:
    code = log_in(role).get(reverse(f"admin:{name}")).status_code
    assert code == (200 if role in FORMS[name] else 403)


@pytest.mark.parametrize("role", STAFF)
def test_only_matchers_publish(log_in: LogIn, objects: dict[str, str], role: str) -> None:
    browser = log_in(role)
    url = reverse("admin:merchants_ruleset_draft")
    assert browser.get(url).status_code == (200 if role else 403)
    code = browser.post(url, {"note": "x", "fingerprint": "y"}).status_code
    assert code == (302 if role in ("matcher", "admin") else 403)
    assert browser.get(reverse("admin:merchants_ruleset_try")).status_code == (200 if role else 403)


@pytest.mark.parametrize("role", ["viewer", "support", "matcher"])
def test_only_admins_change_a_webhook(log_in: LogIn, objects: dict[str, str], role: str) -> None:
    url = reverse("admin:webhooks_webhook_change", args=[objects["webhooks.webhook"]])
    response = log_in(role).post(url, {"url": "https://elsewhere.example", "max_in_flight": 4})
    assert response.status_code == 403
    assert Webhook.objects.get().url == "https://client.example/webhook"


def test_the_curl_line_is_for_those_who_may_retry(log_in: LogIn, objects: dict[str, str]) -> None:
    url = reverse("admin:webhooks_delivery_change", args=[objects["webhooks.delivery"]])
    assert "webhook-signature: v1," in log_in("support").get(url).content.decode()
    assert "webhook-signature: v1," not in log_in("viewer").get(url).content.decode()


def test_a_search_finds_only_what_one_may_see(
    log_in: LogIn, objects: dict[str, str], failed_delivery: Delivery
) -> None:
    url = reverse("admin:search")
    found = log_in("viewer").get(url, {"q": str(failed_delivery.pk)})
    assert found.status_code == 302
    nothing = log_in("").get(url, {"q": str(failed_delivery.pk)})
    assert "Nothing fits" in nothing.content.decode()


def test_an_admin_makes_nobody_a_superuser(log_in: LogIn, superuser: Browser) -> None:
    browser = log_in("admin")
    user = browser.user  # type: ignore[attr-defined]  # set by the fixture
    url = reverse("admin:auth_user_change", args=[user.pk])
    browser.post(
        url,
        {"username": user.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"},
    )
    user.refresh_from_db()
    assert not user.is_superuser
    other = superuser.user  # type: ignore[attr-defined]  # set by the fixture
    taken = browser.post(
        reverse("admin:auth_user_change", args=[other.pk]), {"username": "mine now"}
    )
    assert taken.status_code == 403
    password = reverse("admin:auth_user_password_change", args=[other.pk])
    assert browser.get(password).status_code == 403


def test_the_curl_line_sends_one_message_with_the_events_bytes(failed_delivery: Delivery) -> None:
    Webhook.objects.update(url="https://client.example/[1-3]/{a,b}")
    failed_delivery.webhook.refresh_from_db()
    body = b'{"description": "STARBUCKS -H evil --data-binary q \\" \' $(x)"}'
    line = curl(failed_delivery, body)
    told = shlex.split(line.replace("\\\n", ""))
    assert "-g" in told
    assert told[told.index("--data-binary") + 1].encode() == body
    assert told.count("-H") == line.count("\\\n  -H ")
