"""The home page says what needs a person, and leads there."""

from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from merchants.catalogue import draft, rulesets
from merchants.matching import types
from merchants.models import Feedback, Merchant, Resolution
from pave.clients.models import Client
from pave.operations.models import ClusterBeat, Tally
from pave.staff.models import AuditEntry
from tests.admin.fixtures import LogIn
from tests.factories import (
    MerchantFactory,
    NormalizationRequestFactory,
    ResolutionFactory,
    WebhookFactory,
)
from webhooks.models import Delivery, Webhook


@pytest.fixture
def at_work(db: None) -> None:
    """Clusters of both queues, seen just now."""
    now = timezone.now()
    for queue in ("quick", "heuristic"):
        ClusterBeat.objects.create(host="a", queue=queue, pid=1, started_at=now, seen_at=now)


def _home(browser: Browser) -> str:
    return browser.get(reverse("admin:index")).content.decode()


def test_all_is_well(superuser: Browser, at_work: None) -> None:
    assert "All is well." in _home(superuser)


def test_a_cluster_that_is_not_seen_is_missed(superuser: Browser, at_work: None) -> None:
    old = timezone.now() - timedelta(minutes=5)
    ClusterBeat.objects.filter(queue="heuristic").update(seen_at=old)
    assert "No cluster works on the queue heuristic" in _home(superuser)
    assert "queue quick" not in _home(superuser)


def test_a_webhook_that_disabled_itself_is_named_with_what_is_held(
    superuser: Browser, at_work: None, failed_delivery: Delivery
) -> None:
    Delivery.objects.update(status="held")
    Webhook.objects.update(enabled=False, disabled_by="gone", disabled_at=timezone.now())
    html = _home(superuser)
    assert "Webhook of Northwind (1234) is disabled" in html
    assert "1 deliveries held" in html
    assert reverse("admin:webhooks_webhook_change", args=[failed_delivery.webhook_id]) in html


def test_what_people_disabled_needs_nobody(
    superuser: Browser, at_work: None, plain_webhook: Webhook
) -> None:
    Webhook.objects.update(enabled=False, disabled_by="client", disabled_at=timezone.now())
    assert "All is well." in _home(superuser)


def test_a_webhook_that_only_fails_is_named_after_a_while(
    superuser: Browser, at_work: None, plain_webhook: Webhook
) -> None:
    Webhook.objects.update(failing_since=timezone.now() - timedelta(minutes=2))
    assert "All is well." in _home(superuser)
    Webhook.objects.update(failing_since=timezone.now() - timedelta(hours=2))
    assert "only fails" in _home(superuser)


def test_waiting_longer_than_usual_is_noticed(superuser: Browser, at_work: None) -> None:
    now = timezone.now()
    NormalizationRequestFactory(created_at=now - timedelta(minutes=3))
    assert "Requests wait for admission" in _home(superuser)
    # Where a minute or two is usual, three are not yet too many.
    Tally.objects.create(at=now - timedelta(hours=1), name="wait_seconds", label="300", count=100)
    assert "Requests wait for admission" not in _home(superuser)


def test_failed_resolutions_and_open_feedback_are_counted(
    superuser: Browser, at_work: None, open_feedback: Feedback
) -> None:
    ResolutionFactory(status="failed", error="It took too long.")
    html = _home(superuser)
    assert "The heuristic failed on 1 resolution in a day" in html
    assert "It took too long." in html
    assert "1 correction to be reviewed" in html


def test_the_worst_endpoints_are_listed(superuser: Browser, at_work: None) -> None:
    now = timezone.now()
    for url, failed in (("https://a.example/x", 3), ("https://b.example/x", 30)):
        webhook = WebhookFactory(url=url)
        for label, count in (("ok", 10), ("http", failed)):
            Tally.objects.create(
                at=now, name="webhook_attempts", label=label, subject=str(webhook.pk), count=count
            )
    html = _home(superuser)
    assert html.index("b.example") < html.index("a.example")
    assert "75 %" in html


def test_answers_are_plotted_by_every_method_that_there_is(
    superuser: Browser, at_work: None
) -> None:
    for method in types.Method:
        Tally.objects.create(at=timezone.now(), name="answers", label=method.value, count=7)
    plot = _home(superuser).partition("Answers by method")[2].partition("</section>")[0]
    assert all(method.value in plot for method in types.Method)


def test_a_correction_goes_all_the_way(superuser: Browser, open_feedback: Feedback) -> None:
    page = reverse("admin:merchants_feedback_do", args=[open_feedback.pk, "accept"])
    nothing = superuser.post(page, {})
    assert "Give exactly one of the three." in nothing.content.decode()
    superuser.post(page, {"new_name": "Netflix Inc", "text": "NETFLIX"})
    open_feedback.refresh_from_db()
    assert open_feedback.status == "accepted"
    assert open_feedback.merchant == Merchant.objects.get(name="Netflix Inc")
    assert superuser.post(page, {"new_name": "Again", "text": "NETFLIX"}).status_code == 302
    assert not Merchant.objects.filter(name="Again").exists()


def test_two_merchants_are_merged_from_the_page(superuser: Browser, db: None) -> None:
    old, new = MerchantFactory(name="Old"), MerchantFactory(name="New")
    url = reverse("admin:merchants_merchant_do", args=[old.pk, "merge"])
    superuser.post(url, {"into": str(new.pk)})
    old.refresh_from_db()
    assert old.merged_into == new
    assert AuditEntry.objects.get().changes["active"] == ["True", "False"]


def test_a_draft_is_published_only_as_it_was_looked_at(superuser: Browser, db: None) -> None:
    MerchantFactory(name="New")
    seen = draft.fingerprint()
    MerchantFactory(name="Newer")
    url = reverse("admin:merchants_ruleset_draft")
    stale = superuser.post(url, {"note": "x", "fingerprint": seen}, follow=True)
    assert "has changed since you looked" in stale.content.decode()
    superuser.post(url, {"note": "x", "fingerprint": draft.fingerprint()})
    assert rulesets.current().note == "x"
    assert AuditEntry.objects.get().action == "published"


def test_a_delivery_is_canceled_and_retried_from_its_page(
    superuser: Browser, failed_delivery: Delivery
) -> None:
    pk = failed_delivery.pk
    superuser.post(reverse("admin:webhooks_delivery_do", args=[pk, "retry"]))
    failed_delivery.refresh_from_db()
    assert (failed_delivery.status, failed_delivery.trigger) == ("pending", "manual")
    superuser.post(reverse("admin:webhooks_delivery_do", args=[pk, "cancel"]))
    failed_delivery.refresh_from_db()
    assert failed_delivery.status == "canceled"
    again = superuser.post(reverse("admin:webhooks_delivery_do", args=[pk, "cancel"]), follow=True)
    assert "is not possible" in again.content.decode()


def test_a_clients_page_shows_what_it_does(superuser: Browser, failed_delivery: Delivery) -> None:
    client = Client.objects.get(client_id="1234")
    NormalizationRequestFactory(client=client, status="failed", error="No answer in 60 s.")
    html = superuser.get(reverse("admin:clients_client_change", args=[client.pk])).content.decode()
    assert "https://client.example/webhook" in html
    assert "order-17" in html
    assert "No answer in 60 s." in html


def test_a_requests_page_tells_its_whole_way(superuser: Browser, failed_delivery: Delivery) -> None:
    now = timezone.now()
    Resolution.objects.update(attempts=1, started_at=now, finished_at=now, duration_ms=12)
    url = reverse(
        "admin:merchants_normalizationrequest_change", args=[failed_delivery.event.subject_id]
    )
    html = superuser.get(url).content.decode()
    for text in ("Received", "Heuristic, run 1", "Completed", "normalization.completed: failed"):
        assert text in html


def test_who_may_see_nothing_is_told_nothing(log_in: LogIn, at_work: None) -> None:
    WebhookFactory(enabled=False, disabled_by="gone", disabled_at=timezone.now())
    assert "All is well." not in _home(log_in("viewer"))
    assert "You have no role yet." in _home(log_in(""))
