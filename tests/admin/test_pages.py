"""Every page of the admin opens, with a bounded number of queries, whatever is in the tables."""

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from benchmarks.staff_rows import fill_with
from merchants.models import Batch, Feedback, Merchant, Resolution, Rule
from pave.clients import api_keys
from pave.clients.models import Client
from pave.core.ids import new_id
from pave.operations.models import ClusterBeat, Tally
from pave.staff.audit import is_secret_name
from pave.staff.model_admin import CappedPaginator
from pave.staff.models import AuditEntry
from tests.admin.fixtures import MATCH, MERCHANT
from tests.factories import RulesetFactory
from tests.fixtures import Caller
from tests.servers import ON_SQLITE
from webhooks.models import Delivery, DeliveryAttempt, Event, Recovery, Webhook

# Whatever is in the tables. Session and user are two of them.
MOST_QUERIES = 24
STATUSES = ("failed", "pending", "succeeded", "held")

LISTS = [
    f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    for model in admin.site._registry
]


@pytest.fixture
def some(open_feedback: Feedback, plain_webhook: Webhook) -> None:
    """Some rows of everything."""
    now = timezone.now()
    events = Event.objects.bulk_create(
        Event(client=plain_webhook.client, type="normalization.completed", subject_id=new_id(),
              body=b"{}", created_at=now)
        for _ in range(60)
    )  # fmt: skip
    Delivery.objects.bulk_create(
        Delivery(event=event, webhook=plain_webhook, status=status, attempts=1, created_at=now,
                 next_attempt_at=now + timedelta(hours=1) if status == "pending" else None)
        for event, status in zip(events, [*STATUSES] * 15, strict=True)
    )  # fmt: skip
    Batch.objects.create(client=plain_webhook.client, accepted=3, created_at=now)
    Rule.objects.create(kind="prefix", pattern="NETFLIX", merchant=Merchant.objects.first())
    Recovery.objects.create(webhook=plain_webhook, since=now, until=now, total=3, created_at=now)
    api_keys.issue(client=plain_webhook.client)
    for back in range(120):
        Tally.objects.create(
            at=now.replace(second=0, microsecond=0) - timedelta(minutes=back),
            name="webhook_attempts", label="http", subject=str(plain_webhook.pk), count=3,
        )  # fmt: skip
    ClusterBeat.objects.create(host="a", queue="quick", pid=1, started_at=now, seen_at=now)


@pytest.fixture
def many(some: None) -> None:
    """A hundred thousand requests, with their events, deliveries and attempts."""
    if ON_SQLITE:
        pytest.skip("PostgreSQL makes these rows")
    with connection.cursor() as cursor:
        fill_with(cursor, requests=100_000, key=settings.FIELD_ENCRYPTION_KEYS[0], webhooks=10)
        cursor.execute("ANALYZE")


def _links(html: str) -> Iterator[str]:
    for link in re.findall(r'href="(/admin/[^"#]*)"', html):
        yield link.replace("&amp;", "&")


@pytest.mark.timeout(240)
def test_every_page_opens_with_a_bounded_number_of_queries(superuser: Browser, many: None) -> None:
    todo = [reverse("admin:index"), *(reverse(name) for name in LISTS)]
    seen: set[str] = set()
    shapes: dict[str, int] = {}
    costly = {}
    while todo:
        url = todo.pop()
        shape = re.sub(r"[0-9a-f-]{36}|=[^&]*|/\d+/|/\w{8}/", "#", url)
        if "logout" in url or shapes.get(shape, 0) >= 2:
            continue
        shapes[shape] = shapes.get(shape, 0) + 1
        with CaptureQueriesContext(connection) as queries:
            response = superuser.get(url)
        assert response.status_code in (200, 302), url
        if len(queries) > MOST_QUERIES:
            costly[url] = len(queries)
        for link in _links(response.content.decode()):
            if link not in seen:
                seen.add(link)
                todo.append(link)
    assert not costly
    assert len(shapes) > 60  # it has been about


def test_no_page_has_a_script_or_a_style_of_its_own(
    superuser: Browser, open_feedback: Feedback
) -> None:
    for name in [*LISTS, "admin:index", "admin:merchants_ruleset_try"]:
        html = superuser.get(reverse(name)).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", html), name
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html), name
        assert not re.search(r'(src|href)="https?://', html.replace('href="https://client', "")), (
            name
        )


MARKUP = "<i title='x\">"


def test_no_text_of_any_row_is_taken_for_markup(
    superuser: Browser, some: None, objects: dict[str, str]
) -> None:
    for model in apps.get_models():
        if model._meta.app_label in ("clients", "merchants", "webhooks"):
            model._base_manager.update(
                **{
                    field.name: MARKUP
                    for field in model._meta.concrete_fields
                    if field.get_internal_type() in ("CharField", "TextField")
                    and not (field.unique or field.choices or is_secret_name(field.name))
                    and (field.max_length or 99) >= len(MARKUP)
                }
            )
    Resolution.objects.update(answer={"merchant": {**MERCHANT, "name": MARKUP}, "match": MATCH})
    Resolution.objects.update(evidence=[MARKUP])
    AuditEntry.objects.create(
        username="anna", action=MARKUP, model="webhooks.webhook", object_name=MARKUP,
        object_id=objects["webhooks.webhook"], changes={MARKUP: [MARKUP, MARKUP]}, detail=MARKUP,
    )  # fmt: skip
    pages = [reverse(name) for name in LISTS]
    for model, pk in objects.items():
        pages += [
            reverse(f"admin:{model.replace('.', '_')}_{page}", args=[pk])
            for page in ("change", "history")
        ]
    pages.append(reverse("admin:search") + f"?q={quote(MARKUP)}")
    shown = 0
    for page in pages:
        response = superuser.get(page, follow=True)
        assert response.status_code == 200, page
        html = response.content.decode()
        assert "<i " not in html, page
        shown += "&lt;i " in html
    assert shown >= 20


def test_a_list_counts_no_further_than_it_must(
    superuser: Browser, some: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CappedPaginator, "CAP", 40)
    with CaptureQueriesContext(connection) as queries:
        response = superuser.get(reverse("admin:webhooks_delivery_changelist"))
    assert "More than 40 deliveries" in response.content.decode()
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 41" in sql for sql in counts)


def test_the_home_page_reads_no_large_table_as_a_whole(superuser: Browser, some: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        superuser.get(reverse("admin:index"))
    for sql in (query["sql"] for query in queries):
        if 'FROM "merchants_normalizationrequest"' in sql:
            assert "queued" in sql
        assert "deliveryattempt" not in sql


@pytest.mark.parametrize("width", ["hour", "day", "week", "nonsense"])
def test_the_home_page_opens_for_each_span(superuser: Browser, some: None, width: str) -> None:
    response = superuser.get(reverse("admin:index"), {"span": width})
    html = response.content.decode()
    assert response.status_code == 200
    assert "Most failing endpoints" in html
    assert html.count('role="img"') == 6


def test_of_very_many_attempts_the_last_are_shown(
    superuser: Browser, failed_delivery: Delivery
) -> None:
    failed_delivery.attempts = 1000
    failed_delivery.save()
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(
            delivery=failed_delivery, number=number, error="dns", detail=f"It is number {number}.",
            started_at=failed_delivery.created_at,
        )
        for number in range(2, 1001)
    )  # fmt: skip
    of_delivery = reverse("admin:webhooks_delivery_change", args=[failed_delivery.pk])
    html = superuser.get(of_delivery).content.decode()
    assert html.count("It is number") == 100
    assert "It is number 1000." in html
    assert "Attempts before these are not shown." in html
    of_webhook = reverse("admin:webhooks_webhook_change", args=[failed_delivery.webhook_id])
    assert ">dns<" in superuser.get(of_webhook).content.decode()


def test_going_back_to_what_is_in_force_publishes_nothing(superuser: Browser) -> None:
    earlier, current = RulesetFactory(), RulesetFactory()
    url = reverse("admin:merchants_ruleset_do", args=[earlier.pk, "roll_back"])
    page = superuser.post(url, follow=True).content.decode()
    assert f"Nothing to publish: {current} has the same content." in page
    assert not AuditEntry.objects.filter(action__contains="back").exists()


def test_times_are_shown_in_the_browsers_zone(superuser: Browser, open_feedback: Feedback) -> None:
    url = reverse("admin:merchants_feedback_change", args=[open_feedback.pk])
    superuser.cookies["pave_zone"] = "Asia/Kathmandu"
    assert "+0545" in superuser.get(url).content.decode()
    superuser.cookies["pave_zone"] = "../../etc/passwd"
    assert "UTC" in superuser.get(url).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [("mccs", "[5814]"), ("mccs", "5814"), ("countries", '["Germany"]'), ("websites", '["x"]'),
     ("websites", '{"DE": 1}'), ("websites", "17")],
)  # fmt: skip
def test_a_merchant_with_odd_lists_is_refused_with_the_reason(
    superuser: Browser, field: str, value: str
) -> None:
    data = {
        "name": "Odd", "mccs": "[]", "countries": "[]", "websites": "{}", "active": "on",
        "aliases-TOTAL_FORMS": "0", "aliases-INITIAL_FORMS": "0", field: value,
    }  # fmt: skip
    page = superuser.post(reverse("admin:merchants_merchant_add"), data)
    assert "Must be" in page.content.decode()
    assert not Merchant.objects.filter(name="Odd").exists()


def test_a_quota_of_none_at_all_is_shown(superuser: Browser, client_1234: Caller) -> None:
    Client.objects.update(monthly_quota=0)
    page = superuser.get(reverse("admin:clients_client_change", args=[client_1234.client.pk]))
    assert "Quota of 0 transactions a month" in page.content.decode()


def test_a_client_is_deactivated_by_a_button_and_not_by_a_page_opened_before(
    superuser: Browser, client_1234: Caller
) -> None:
    pk, api = client_1234.client.pk, client_1234.api
    superuser.post(reverse("admin:clients_client_do", args=[pk, "deactivate"]))
    assert api.get("/v1/usage").status_code == 401
    page = reverse("admin:clients_client_change", args=[pk])
    superuser.post(page, {"name": "Bank", "active": "on", "share": "2"})
    assert Client.objects.get().share == 2
    assert api.get("/v1/usage").status_code == 401
    superuser.post(reverse("admin:clients_client_do", args=[pk, "activate"]))
    assert api.get("/v1/usage").status_code == 200
