from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from merchants.requests import admission, submission, worker
from tests.factories import DeliveryFactory
from tests.merchants.heuristics import FirstWord

pytestmark = pytest.mark.django_db
TOKEN = "for-prometheus-alone"


@pytest.fixture(autouse=True)
def token(settings):
    settings.PAVE_METRICS_TOKEN = TOKEN


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "é"}])
@pytest.mark.parametrize("configured", [TOKEN, ""])
def test_without_the_token_there_are_none(client, settings, headers, configured):
    settings.PAVE_METRICS_TOKEN = configured
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert "pave_" not in response.content.decode()
    assert set(client.get("/readyz", headers=headers).json()) == {"status"}


def test_in_development_no_token_is_needed(client, settings):
    settings.PAVE_METRICS_TOKEN, settings.DEBUG = "", True
    assert client.get("/metrics").status_code == 200
    assert client.get("/readyz").json()["checks"]["database"] == "ok"


def scrape(client):
    response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def test_metrics_count_requests_answers_and_runs(client, client_1234, settings):
    settings.PAVE_HEURISTIC = f"{FirstWord.__module__}.FirstWord"
    for description in ("NETFLIX 1", "NETFLIX 2", "UNREADABLE"):
        submission.submit(client=client_1234.client, fields={"description": description})
    assert scrape(client)["pave_queue_depth", ("queue", "admission")] == 3
    admission.admit_batch()
    admission.admit_suspects()
    worker.resolve_due()
    seen = scrape(client)
    assert seen["pave_queue_depth", ("queue", "admission")] == 0
    assert seen["pave_requests_total", ("status", "queued")] == 3
    assert seen["pave_requests_total", ("status", "completed")] == 2
    assert seen["pave_requests_total", ("status", "failed")] == 1
    assert seen["pave_answers_total", ("method", "cleaned")] == 2
    assert seen[("pave_heuristic_seconds_count",)] == 1
    assert seen["pave_wait_seconds_bucket", ("le", "+Inf")] == 3


def test_what_waits_for_an_endpoint_that_is_down_is_not_late(client, client_1234):
    late = timezone.now() - timedelta(hours=1)
    delivery = DeliveryFactory(next_attempt_at=late)
    age = ("pave_queue_age_seconds", ("queue", "delivery"))
    assert scrape(client)[age] >= 3_600
    delivery.webhook.paused_until = timezone.now() + timedelta(minutes=1)
    delivery.webhook.save()
    assert scrape(client)[age] == 0
    assert scrape(client)["pave_queue_depth", ("queue", "delivery")] == 1


@pytest.mark.parametrize("version", ["abc", "1.x", "-1", "1" * 300])
def test_a_format_of_an_odd_version_is_the_usual_one(client, version):
    for media_type in ("application/openmetrics-text", "text/plain"):
        headers = {"Accept": f"{media_type};version={version}", "Authorization": f"Bearer {TOKEN}"}
        assert client.get("/metrics", headers=headers).status_code == 200
