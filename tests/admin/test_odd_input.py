"""No form, list or button of the admin fails for what it is sent."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.test import Client as Browser
from django.urls import reverse

from pave.staff.buttons import buttons_of
from webhooks.models import Webhook

pytestmark = pytest.mark.django_db

ODD = ["x", "1" * 30, "\0", "\U0001f600", "a" * 70_000, str(uuid4())]
ADMINS = list(admin.site._registry.values())
FIELD = re.compile(r'<(?:input|select|textarea)[^>]* name="([^"]+)"')
WITH_FORMS = [
    (each.opts.label_lower, name)
    for each in ADMINS
    for name, button in buttons_of(type(each)).items()
    if button.form
]
EDITED = ["webhooks.webhook", "clients.client", "merchants.merchant"]
# Are no fields of a form, or say how it is sent.
NOT_ODD = {"csrfmiddlewaretoken", "q"}


def url(model_admin: admin.ModelAdmin, page: str, *args: Any) -> str:
    opts = model_admin.opts
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)


def try_odd(browser: Browser, path: str) -> int:
    """Send odd values to all fields of a page's form, in its query and as a form; count them.

    Django's client raises what the view does.
    """
    page = browser.get(path)
    fields = set(FIELD.findall(page.content.decode())) - NOT_ODD
    for value in ODD:
        for sent in (
            browser.get(path, dict.fromkeys(fields, value[:1_000])),
            post(browser, path, fields, value),
        ):
            assert sent.status_code < 500, (path, value[:30], sent.content[:300])
    return len(fields)


def post(browser: Browser, path: str, fields: set[str], value: str) -> Any:
    data = {
        name: "0"
        if name.endswith("INITIAL_FORMS")
        else "1"
        if name.endswith("TOTAL_FORMS")
        else value
        for name in fields
    }
    return browser.post(path, data)


@pytest.mark.parametrize("model_admin", ADMINS, ids=str)
def test_a_form_for_a_new_row(superuser: Browser, model_admin: admin.ModelAdmin) -> None:
    path = url(model_admin, "add")
    if superuser.get(path).status_code == 403:
        return  # none is made here
    assert try_odd(superuser, path)


@pytest.mark.storage
@pytest.mark.parametrize("model_admin", ADMINS, ids=str)
def test_a_list(superuser: Browser, model_admin: admin.ModelAdmin) -> None:
    path = url(model_admin, "changelist")
    filters = [
        f"{each}__exact" if isinstance(each, str) else each.parameter_name
        for each in model_admin.list_filter
    ]
    names = [*filters, "groups__id__exact", "q", "p", "id__in"]
    for value in ODD:
        for name in names:
            assert superuser.get(path, {name: value[:1_000]}).status_code < 500, (name, value)


@pytest.mark.storage
@pytest.mark.parametrize("model_admin", ADMINS, ids=str)
def test_a_selection_in_a_list(superuser: Browser, model_admin: admin.ModelAdmin) -> None:
    path = url(model_admin, "changelist")
    request: Any = superuser.get(path).wsgi_request
    for action in model_admin.get_actions(request):
        for value in ODD:
            data = {"action": action, "_selected_action": value, "confirmed": "yes"}
            assert superuser.post(path, data).status_code < 500, (action, value[:30])


@pytest.mark.parametrize(("model", "button"), WITH_FORMS)
def test_a_button(superuser: Browser, objects: dict[str, str], model: str, button: str) -> None:
    path = reverse(f"admin:{model.replace('.', '_')}_do", args=[objects[model], button])
    assert try_odd(superuser, path)


@pytest.mark.parametrize("model", EDITED)
def test_the_form_of_a_row(superuser: Browser, objects: dict[str, str], model: str) -> None:
    assert try_odd(
        superuser, reverse(f"admin:{model.replace('.', '_')}_change", args=[objects[model]])
    )


@pytest.mark.parametrize("model_admin", ADMINS, ids=str)
def test_the_page_of_a_row_that_there_cannot_be(
    superuser: Browser, model_admin: admin.ModelAdmin
) -> None:
    for value in ["x", "-1", "\0", "1" * 30, "\U0001f600", "_00", "a" * 2_000, str(uuid4())]:
        for page in ("change", "history", "delete"):
            assert superuser.get(url(model_admin, page, value)).status_code < 500


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        ("clients_apikey", "hashed_key__regex"),
        ("webhooks_webhook", "secrets__id__gt"),
        ("webhooks_webhook", "headers__startswith"),
        ("merchants_normalizationrequest", "description__regex"),
        ("auth_user", "password__startswith"),
    ],
)
def test_a_list_is_filtered_by_its_own_filters_only(
    superuser: Browser, model: str, lookup: str
) -> None:
    path = reverse(f"admin:{model}_changelist")
    assert superuser.get(path, {lookup: "1"}).status_code == 400


@pytest.mark.parametrize("field", ["rule.merchant", "alias.merchant", "feedback.request"])
def test_what_a_form_suggests(superuser: Browser, field: str) -> None:
    model, _, name = field.partition(".")
    query = {"app_label": "merchants", "model_name": model, "field_name": name}
    for term in ODD:
        answer = superuser.get(reverse("admin:autocomplete"), {**query, "term": term})
        assert answer.status_code < 500


def test_no_row_has_a_page_elsewhere(superuser: Browser) -> None:
    of_webhooks = ContentType.objects.get_for_model(Webhook).pk
    assert superuser.get(f"/admin/r/{of_webhooks}/abc/").status_code == 404
